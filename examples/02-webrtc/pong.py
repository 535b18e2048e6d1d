"""Answers each ping of a page with a pong."""
import waldo

chat = waldo.Robot().topic("chat")
for message in chat:
    if isinstance(message, dict) and "ping" in message:
        print("got ping", message["ping"])
        chat.put_nowait({"pong": message["ping"], "from": "Python"})
