"""Both sides on one page: Dynamics 365 on the left, Xero on the right, with what a person would click."""
