"""A peer that answers one JSON object a line: {"op": ...} in, {...} or {"error": name} out. Bytes are base64."""

import base64
import json
import sys


def b64(data):
    return base64.b64encode(bytes(data)).decode("ascii")


def raw(text):
    return base64.b64decode(text, validate=True)


def serve(operations):
    """Answers until standard input ends. `operations` maps an op to a function from the request to the answer."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request["op"]](request)
        except Exception as error:  # the other side decides whether a refusal was expected
            answer = {"error": type(error).__name__}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
