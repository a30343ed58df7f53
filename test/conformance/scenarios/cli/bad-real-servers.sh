# Real servers that are refused, and local and unroutable ones, which are not.
ipvs '-A -t 10.0.0.100:80 -s rr'
for words in '-r 10.1.0.300' '-r 10.1.0.1:99999' -r '' '-r 0.0.0.0:80' '-r 224.0.0.5:80' '-r 255.255.255.255:80' '-r 10.1.0.255:80' \
  '-r 10.0.0.100:80' '-r 10.0.0.1:80 -m' '-r 172.32.0.1:80 -m' '-r 10.1.0.1:80 -m -w' '-r 10.1.0.1:0 -m' '-r 10.1.0.1:http -m'; do
  ipvs "-a -t 10.0.0.100:80 $words"
done
ipvs '-a -u 10.0.0.100:80 -r 10.1.0.1'
for words in -Ln -L -Sn; do ipvs "$words"; done
