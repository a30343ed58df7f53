for words in '90 -s sh -b sh-fallback' '91 -s sh -b sh-port' '92 -s sh -b sh-fallback,sh-port' '93 -s mh -b mh-fallback,mh-port' \
  '94 -s rr -b flag-1' '95 -s rr -b flag-1,flag-2,flag-3' '96 -s rr -b bogus' '97 -s rr -b sh-port' '98 -s sh -b flag-3' \
  '99 -s mh --sched-flags mh-port' '100 -s sh -b sh-port,' '101 -s sh -b ,' '102 -s sh -b'; do
  ipvs "-A -t 10.0.0.100:$words"
done
ipvs -Ln
ipvs -Sn
ipvs '-E -t 10.0.0.100:90 -s sh -b sh-port'
ipvs '-E -t 10.0.0.100:91 -s sh'
ipvs -Sn
