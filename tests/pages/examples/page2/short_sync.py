import threading

from asflow import flow


@flow.task
def get_config():
    return {"key": "value", "thread": threading.current_thread()}


@flow
async def pipeline():
    config = get_config()
    return config
