"""What happens, in order; imports no SDK."""
