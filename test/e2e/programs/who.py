# A UDP server that answers each datagram with its sender's address and port. Arguments: address, port.
import socket
import sys

address, port = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
server.bind((address, port))
print("ready", flush=True)
while True:
    _, client = server.recvfrom(65536)
    server.sendto(f"{client[0]} {client[1]}".encode(), client)
