"""The live display: its model, its layout, and the surfaces that show it."""
