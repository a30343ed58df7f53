# Forwarding methods, ports and weights.
on='-t 10.0.0.100:80'
ipvs "-A $on -s wrr"
for words in '-r 10.1.0.1' '-r 10.1.0.2:80 -g -w 5' '-r 10.1.0.3:8080 -m -w 0' '-r 10.1.0.4 -i -w 65535' '-r 10.1.0.4:8080 -i' \
  '-r 10.1.0.4:8081 -g' '-r 10.1.0.3 -m' '-r 10.0.0.254:80' '-r 127.0.0.1:80 -m' '-r 192.168.77.1 -g' \
  '-r 10.1.0.5:80 -w 2147483647' '-r 10.1.0.6:80 -w 65536' '-r 10.1.0.7:80 -w 2147483648' '-r 10.1.0.8:80 -w -1' \
  '-r 10.1.0.8:80 -w abc' '-r 10.1.0.8:80 -w'; do
  ipvs "-a $on $words"
done
for words in -n '' "-n $on" '-n -t 10.0.0.100:81' '-n --sort' '-n --nosort'; do ipvs "-L $words"; done
ipvs -Sn
ipvs "-a $on -r 10.1.0.1"
for words in '-r 10.1.0.1 -w 9' '-r 10.1.0.1 -m' '-r 10.1.0.1' '-r 10.1.0.99'; do ipvs "-e $on $words"; done
for words in 10.1.0.99 10.1.0.1 10.1.0.1; do ipvs "-d $on -r $words"; done
ipvs -Sn
ipvs -Ln
