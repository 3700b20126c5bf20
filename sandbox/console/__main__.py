from flask import Flask
import argparse
p=argparse.ArgumentParser(); p.add_argument("--port",type=int); a,_=p.parse_known_args()
app=Flask("x")
app.get("/healthz")(lambda: "ok")
app.run(port=a.port)
