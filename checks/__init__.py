"""How the controls are verified: one file a family, one short function a control."""
