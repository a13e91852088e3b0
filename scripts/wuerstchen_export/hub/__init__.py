"""Checkpoints from the Hugging Face hub, through huggingface_hub: its cache, tokens, endpoint and offline mode.

repositories    names of repositories, and which ones belong together
sources         the whole way: from repositories to directories that the exporter reads
listing         the files of a repository at one commit, with their sizes and hashes
needed          which of them the exporter reads
fetch           one file into the cache: resumed, checked, fetched again once
card            what a model card says of the licence and of the prior
origin          where a directory is from
space           room on the disks, before anything is fetched
progress        a bar of bytes
library         huggingface_hub itself
error           the error of this package
faults          what the libraries raise, as such an error
pull            a checkpoint directory of its own, outside of the cache

Nothing here imports torch. huggingface_hub is imported where something is fetched, so that an export of directories needs none.
"""
