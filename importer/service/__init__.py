"""The use cases, one function each. Front ends call these and nothing below."""
