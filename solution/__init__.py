"""The Dataverse side of the product: its schema as rows, and what is made from them."""
