"""What is shown: the catalog of metrics, the collectors that fill it, and the text formats."""
