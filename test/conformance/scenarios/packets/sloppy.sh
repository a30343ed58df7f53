serve "-t $VIP:4997 -s rr" -m 1
setting sloppy_tcp 1
for flags in A FA R RA PA none; do c ip 10.0.0.4 $VIP tcp $((5000 + ++count)) 4997 $flags; done
connections
