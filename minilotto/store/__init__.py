"""Nets on disk: blocks of seeds in a folder that any number of processes share."""
