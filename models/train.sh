#!/bin/sh
# Makes phrases-1.gpm again: models/train.sh GODWIT IRC-TRAIN. The same program and texts give the same bytes.
set -eu
here=$(dirname "$0")
exec "$1" dictionary train "$2" --phrases "$here/field.txt" -o "$here/phrases-1.gpm" --number 1 --id phrases-1 \
    --licence 'CC BY 4.0, as the chat that it was trained with; the phrases as the project' \
    --provenance 'Ubuntu IRC logs of the data set irc-disentanglement (Kummerfeld et al., A Large-Scale Corpus for Conversation Disentanglement, ACL 2019, CC BY 4.0), reparsed, exact repeats and lines with host names dropped; and phrases of field work written for Godwit (models/field.txt)'
