"""The API without a socket: a request in, a response out.

`routes` lists the endpoints as data. There is a module of handlers for each family of endpoints,
and `dispatch` finds the handler of a request and checks who may call it.
"""
