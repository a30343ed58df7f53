# Services by address, with every scheduler.
ipvs '-A -t 10.0.0.100:80'
ipvs '-A -t 10.0.0.100:81 -s rr'
ipvs '-A -u 10.0.0.100:53 -s wrr'
ipvs '-A -t 10.0.0.100:http -s rr'
ipvs '-A -t 10.0.0.100:https -s lc'
ipvs '-A -t 10.0.0.100:0 -s rr'
ipvs '-A -t localhost:8080 -s rr'
for scheduler in rr wrr lc wlc lblc lblcr dh sh sed nq; do ipvs "-A -u 10.0.0.100:60$((++number)) -s $scheduler"; done
for words in -L '-L -n' -S '-S -n' '-Ln -t 10.0.0.100:81' '-Ln -u 10.0.0.100:601' '-Ln -t 10.0.0.100:82' '-D -t 10.0.0.100:81' \
  '-D -t 10.0.0.100:81' '-E -t 10.0.0.100:80 -s wrr' '-E -t 10.0.0.100:80' '-E -t 10.0.0.100:1234 -s rr' \
  '-E -t 10.0.0.100:80 -s nosuch' '-E -t 10.0.0.100:80 -s rr' '-A -t 10.0.0.100:80 -s rr' -Sn -C -Sn; do
  ipvs "$words"
done
