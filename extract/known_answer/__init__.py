"""Networks whose dependence on register content is known by construction, and the scenes they are trained on."""
