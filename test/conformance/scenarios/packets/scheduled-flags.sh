# Which TCP segments make a connection.
serve "-t $VIP:4997 -s rr" -m 1
for flags in A FA R RA PA SA none S SF SR; do c ip 10.0.0.4 $VIP tcp $((5000 + ++count)) 4997 $flags; done
connections
