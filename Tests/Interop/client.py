"""Drives a `device.Client` by JSON lines, for the end-to-end tests."""

from websockets.exceptions import ConnectionClosed

from device import Client, Refused
from document import b64, leb128
from jsonlines import raw, serve

client = None


def run(request):
    """{"method", "arguments"}: calls the client."""
    result = getattr(client, request["method"])(*request.get("arguments", []))
    return {"result": result}


def start(request):
    global client
    client = Client(request["node"], request["endpoint"], request["username"], request["passphrase"])
    return {"user": client.user, "device": client.device, "identity": client.file}


def attempt(action):
    try:
        return {"result": action()}
    except Refused as refusal:
        return {"refused": str(refusal)}


def open_socket(request):
    def action():
        client.connect()
        return client.log_in(register=request.get("register", False))["expires"]
    return attempt(action)


def replay(request):
    """Proves with a challenge that was used before."""
    def action():
        used = client.last_challenge
        client.connect()
        client.challenge()
        return client.log_in(replay=used)["expires"]
    return attempt(action)


def resume(request):
    """A second socket with the session's token in the handshake, or in a frame."""
    def action():
        token = request.get("token") or client.success["session_token"]
        if request.get("in_frame"):
            client.connect()
            client.put({"type": "auth_token", "session_token": token})
        else:
            client.connect({"Authorization": "Bearer " + token})
        return client.opened(client.get())["expires"]
    return attempt(action)


def receive(request):
    """Waits for `count` more messages, or for a channel's epoch; acknowledges what came if `received` is true."""
    def action():
        seen = request.get("seen", 0)
        channel, version = request.get("channel"), request.get("version")

        def done():
            if channel:
                state = client.channels.get(channel)
                return state is not None and state["current"] is not None and version in state["memberships"]
            return len(client.messages) >= seen + request["count"]
        client.wait(done)
        client.submit_epochs()
        if request.get("received", True) and hasattr(client, "arrival"):
            client.command("received", {"upto": client.arrival})
        return client.messages[seen:]
    return attempt(action)


def close_code(request):
    """Sends a raw text message and says with which code the node closed, or what it answered."""
    try:
        client.socket.send(request["text"])
        while True:
            answer = client.get()
            if answer.get("event") not in ("message", "object", "user_status", "channel_update"):
                return {"answer": answer}
    except ConnectionClosed as closed:
        return {"close": closed.rcvd.code if closed.rcvd else 0}


def frame(request):
    """The record of a loose frame for the node, or for another receiver."""
    sealed = client.loose(request.get("receiver"))
    return {"record": b64(leb128(len(sealed)) + sealed)}


def live(request):
    """Messages over a live link: texts, bytes in base64, a loose frame for the node or another receiver, the end."""
    def message(entry):
        if "text" in entry:
            return entry["text"]
        if "frame" in entry:
            return client.loose(entry["frame"])
        return raw(entry.get("bytes", ""))
    return client.live([message(entry) for entry in request["messages"]], request.get("subprotocol", "dcp-batch-v1"))


serve({
    "start": start, "open": open_socket, "replay": replay, "resume": resume, "receive": receive, "raw": close_code,
    "frame": frame, "live": live,
    "call": lambda request: attempt(lambda: run(request)["result"]),
})
