"""A client that knows only the REST interface (docs/protocol.md section 9.8), with `httpx`. JSON lines, as client.py."""

import time
from urllib.parse import quote

import httpx

from device import TIMEOUT, Client
from document import b64, now, public, signed
from exchanges import Refused
from jsonlines import serve

client = None


class RestClient(Client):
    """What a socket would carry goes as requests; all else is the same device."""

    def connect(self, headers=None):
        self.http = httpx.Client(
            base_url=self.endpoint.replace("wss://", "https://") + "/api/v1", verify=self.tls_context(), timeout=TIMEOUT)
        self.tag = {}

    def ask(self, method, path, body=None, headers=None, session=True):
        headers = dict(headers or {})
        if session and getattr(self, "success", None):
            headers["Authorization"] = "Bearer " + self.success["session_token"]
        answer = self.http.request(method, path, json=body, headers=headers)
        self.check_pin(answer.extensions["network_stream"].get_extra_info("ssl_object"))
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["request_id"] and error["timestamp"], error
            raise Refused(error["code"])
        return answer

    # Login: the frames of section 9.2, without their type

    ROUTES = {
        "auth_challenge_request": ("/auth/challenge", "auth_challenge"), "auth_proof": ("/auth/session", "auth_success"),
        "auth_register": ("/auth/register", "auth_success"), "auth_refresh": ("/auth/refresh", "auth_success"),
    }

    def put(self, frame):
        path, kind = self.ROUTES[frame["type"]]
        body = {key: value for key, value in frame.items() if key != "type" and value is not None}
        if frame["type"] == "auth_proof":
            body["user_id"] = self.user
        self.answer = {"type": kind, **self.ask("POST", path, body, session=False).json()}

    def get(self, timeout=TIMEOUT):
        return self.answer

    def refresh(self):
        self.put({"type": "auth_refresh", "session_token": self.success["session_token"]})
        return self.opened(self.get())

    # Commands and what waits

    def command(self, name, data, timeout=TIMEOUT):
        if name == "publish_keys":
            return self.ask("POST", "/devices/keys", data).json()
        if name == "send_message":
            channel = quote(data["message"]["channel"], safe="")
            return self.ask("POST", f"/channels/{channel}/messages", data).json()
        if name == "create_channel":
            return self.ask("POST", "/channels", {"channel": data["channel"], "command": data["command"]}).content
        if name == "join_channel":
            channel = quote(data["channel"].removeprefix("#"), safe="")
            return self.ask("POST", f"/channels/{channel}/members", {"command": data["command"]}).content
        return self.ask("POST", f"/commands/{name}", data).json()

    def move(self, to, by=None):
        """Section 7, `user_moved`; `by`: another key signs."""
        record = signed(by or self.identity_key, "user-moved", {
            "type": "user_moved", "user_id": self.user, "to": to, "at": now(),
            "public_key": "ed25519:" + b64(public(self.identity_key))})
        return self.ask("PUT", f"/users/{self.user}/move", {"record": record}).json()

    def move_with_another_key(self, to):
        return self.move(to, self.signing)

    def lookup(self, user):
        """Over REST the answer comes at once for users of this node."""
        found = self.ask("POST", f"/users/{user}/keys").json()
        self.know(user, found["public_key"], found["device_list"])
        return {"device_list": found["device_list"], "bundles": found["bundles"]}

    def wait(self, done):
        deadline = time.monotonic() + TIMEOUT
        while not done():
            assert time.monotonic() < deadline, "nothing came"
            waiting = self.ask("GET", "/sync?limit=2").json()
            for item in waiting["items"]:
                kind = "message" if "message" in item else "object"
                self.take({"event": kind, "data": item})
            if waiting["items"]:
                self.ask("POST", "/sync/received", {"upto": self.arrival})
            elif not done():
                self.submit_epochs()
                time.sleep(0.1)


def start(request):
    global client
    client = RestClient(request["node"], request["endpoint"], request["username"], request["passphrase"])
    client.connect()
    return {"user": client.user, "device": client.device}


def attempt(action):
    try:
        return {"result": action()}
    except Refused as refusal:
        return {"refused": str(refusal)}


def receive(request):
    def action():
        channel, version = request.get("channel"), request.get("version")

        def done():
            if channel:
                state = client.channels.get(channel)
                return state is not None and state["current"] is not None and version in state["memberships"]
            return len(client.messages) >= request.get("seen", 0) + request["count"]
        client.wait(done)
        client.submit_epochs()
        return client.messages[request.get("seen", 0):]
    return attempt(action)


def fetch(request):
    """{"method", "path", "headers"}: status, headers that matter and body of any request."""
    headers = request.get("headers", {})
    if request.get("session", True):
        headers["Authorization"] = "Bearer " + client.success["session_token"]
    answer = client.http.request(request["method"], request["path"], headers=headers, content=request.get("content"))
    return {"result": {
        "status": answer.status_code, "etag": answer.headers.get("etag"), "length": len(answer.content),
        "names": sorted(answer.headers.keys()), "text": answer.text[:2000]}}


serve({
    "start": start, "open": lambda request: attempt(lambda: client.log_in(register=request.get("register", False))["expires"]),
    "refresh": lambda request: attempt(lambda: client.refresh()["expires"]), "receive": receive, "fetch": fetch,
    "token": lambda request: {"result": client.success["session_token"]},
    "ask": lambda request: attempt(lambda: client.ask(request["method"], request["path"], request.get("body")).json()),
    "call": lambda request: attempt(
        lambda: getattr(client, request["method"])(*request.get("arguments", [])) or {}),
})
