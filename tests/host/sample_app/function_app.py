"""A small app that does, on request, everything a host has to cope with, and tells what it saw."""

import json
import os
import threading
import time
from typing import List  # noqa: UP035  # the worker refuses Out[list[str]]

import azure.functions as func
from azure.storage.queue import QueueClient

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
STORAGE = "AzureWebJobsStorage"
busy = most = 0
crowd = threading.Condition()


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
@app.queue_output(arg_name="out", queue_name="%SAMPLE%-ticks", connection="AzureWebJobsStorage")
def tick(timer: func.TimerRequest, out: func.Out[str]) -> None:
    """Tell how the timer fired."""
    out.set(json.dumps({"past_due": timer.past_due, "status": timer.schedule_status, "schedule": timer.schedule}))


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
@app.queue_output(arg_name="out", queue_name="%SAMPLE%-stumbles", connection="AzureWebJobsStorage")
def stumble(timer: func.TimerRequest, out: func.Out[str]) -> None:
    """Fail every time; nothing of this may be sent."""
    out.set("never")
    raise RuntimeError("the timer stumbled")


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE%-orders", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="seen", queue_name="%SAMPLE%-seen", connection="AzureWebJobsStorage")
def work(msg: func.QueueMessage, seen: func.Out[str], context: func.Context) -> None:
    """Do what the message asks for: {"sleep": seconds, "hang": seconds of the first time, "gather": how many, "fail": true, "steal": true}."""
    global busy, most
    with crowd:
        busy += 1
        beside = busy
        most = max(most, busy)
        crowd.notify_all()
    try:
        wish = json.loads(msg.get_body())
        with QueueClient.from_connection_string(os.environ[STORAGE], f"{os.environ['SAMPLE']}-begun") as begun:
            if wish.get("announce"):
                begun.send_message(str(msg.dequeue_count))
        with crowd:
            crowd.wait_for(lambda: most >= wish.get("gather", 0), 60)
        time.sleep(wish.get("sleep", 0))
        time.sleep(wish.get("hang", 0) if msg.dequeue_count == 1 else 0)
        if wish.get("steal"):
            with QueueClient.from_connection_string(os.environ[STORAGE], f"{os.environ['SAMPLE']}-orders") as queue:
                queue.update_message(msg.id, msg.pop_receipt, visibility_timeout=60)
        told = {
            "id": msg.id,
            "wish": wish,
            "dequeue_count": msg.dequeue_count,
            "pop_receipt": msg.pop_receipt,
            "times": [str(moment) for moment in (msg.insertion_time, msg.expiration_time, msg.time_next_visible)],
            "beside": beside,
            "invocation": context.invocation_id,
            "function": context.function_name,
        }
        seen.set(json.dumps(told))
        if wish.get("fail"):
            raise ValueError("asked to fail")
    finally:
        with crowd:
            busy -= 1


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE%-parked-poison", connection="AzureWebJobsStorage")
def parked(msg: func.QueueMessage) -> None:
    """Fail on what is poison already."""
    raise ValueError("still poison")


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_NOWHERE%", connection="AzureWebJobsStorage")
def lost(msg: func.QueueMessage) -> None:
    """Listen to a queue no setting names."""


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE%-elsewhere", connection="SampleOtherStorage")
def elsewhere(msg: func.QueueMessage) -> None:
    """Listen in an account no setting names."""


@app.route("fan/{many:int}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="%SAMPLE%-fan", connection="AzureWebJobsStorage")
def fan(req: func.HttpRequest, out: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    """Send as many messages as asked."""
    out.set([f"message {number}" for number in range(int(req.route_params["many"]))])
    return func.HttpResponse("sent", status_code=202)


@app.route("Echo/{*rest}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Tell what the request looked like."""
    told = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "headers": dict(req.headers),
        "body": req.get_body().decode(),
    }
    response = func.HttpResponse(json.dumps(told), mimetype="application/json", headers={"X-Sample": "yes"})
    response.headers.add("Set-Cookie", "a=1; HttpOnly; Path=/")
    response.headers.add("Set-Cookie", "b=2; Secure; SameSite=Lax")
    return response


@app.route("items/special", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def literal(req: func.HttpRequest) -> str:
    """Answer with bare text."""
    return "literal"


@app.route("items/{id:int}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def numbered(req: func.HttpRequest) -> func.HttpResponse:
    """Answer for numbers only."""
    return func.HttpResponse(f"number {req.route_params['id']}")


@app.route("items/{id}/{part?}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def named(req: func.HttpRequest) -> func.HttpResponse:
    """Answer for everything else."""
    return func.HttpResponse(f"named {req.route_params['id']} {req.route_params.get('part')}")


@app.route("nothing", auth_level=func.AuthLevel.ANONYMOUS)
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    """Return nothing."""
    return None  # type: ignore[return-value]


@app.route("broken", auth_level=func.AuthLevel.ANONYMOUS)
def broken(req: func.HttpRequest) -> func.HttpResponse:
    """Raise."""
    raise ValueError("a secret detail")


@app.route("guarded", methods=["GET"])
def guarded(req: func.HttpRequest) -> func.HttpResponse:
    """Answer whoever has the key."""
    return func.HttpResponse("welcome")


@app.route("patient", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def patient(req: func.HttpRequest) -> func.HttpResponse:
    """Answer from the event loop."""
    return func.HttpResponse("async")
