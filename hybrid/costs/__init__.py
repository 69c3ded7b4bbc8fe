"""What a stack costs a month by list prices: a dated table, what a stack has running, and the sum. Pure."""
