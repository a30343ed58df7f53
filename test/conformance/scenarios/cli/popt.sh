# Ways to write options.
for words in '-C -L' '-L -C' -AC -lnc '-At 10.0.0.100:90 -srr' '-A -t=10.0.0.100:91' '-A --tcp-service=10.0.0.100:92 --scheduler=rr' \
  '-A -t 10.0.0.100:93 -s rr -s wrr' '-A -t 10.0.0.100:94 --sched rr' -Sn '-Ln --nosort --sort' '-t 10.0.0.100:95 -A' \
  '-s rr -u 10.0.0.100:96 -A' '-A -t 10.0.0.100:97 -- -s rr' -Sn; do
  ipvs "$words"
done
