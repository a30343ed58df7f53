on='-t 10.0.0.100:80'
ipvs "-A $on -s rr"
for words in '1 -i --tun-type ipip' '2 -i --tun-type gue --tun-port 6080' '3 -i --tun-type gue --tun-port 6080 --tun-csum' \
  '4 -i --tun-type gue --tun-port 6080 --tun-remcsum' '5 -i --tun-type gue --tun-port 6080 --tun-nocsum' '6 -i --tun-type gre' \
  '7 -i --tun-type gre --tun-csum' '8 -i --tun-type gre --tun-nocsum' '9 -i --tun-type gue' '9 -i --tun-type vxlan' \
  '9 -m --tun-type gre' '10 --tun-type gre' '11 -i --tun-type gre --tun-port 5' '11 -i --tun-type ipip --tun-csum' \
  '11 -i --tun-type gre --tun-remcsum' '11 -i --tun-type gue --tun-port 0' '11 -i --tun-type gue --tun-port 70000' \
  '11 -i --tun-port 6080' '12 -i --tun-type gue --tun-port 6080 --tun-csum --tun-nocsum' \
  '13 -i --tun-type gue --tun-port 6080 --tun-info'; do
  ipvs "-a $on -r 10.1.0.$words"
done
for words in -Ln '-Ln --tun-info' '-L --tun-info' -Sn "-e $on -r 10.1.0.1 -i --tun-type gue --tun-port 6081" \
  "-e $on -r 10.1.0.6 -i" -Sn; do
  ipvs "$words"
done
