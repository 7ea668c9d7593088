"""The HTTP service: who may come in and for how long, who may ask, and what is answered."""
