"""A small chain of coffee shops: what it sells, what it has on the shelf, what it earned."""
