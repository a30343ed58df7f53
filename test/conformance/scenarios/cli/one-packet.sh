for words in '-u 10.0.0.100:53 -s rr -o' '-u 10.0.0.100:54 -s rr --ops' '-t 10.0.0.100:88 -s rr -o'; do ipvs "-A $words"; done
ipvs -Ln
ipvs -Sn
ipvs '-E -u 10.0.0.100:53 -s rr'
ipvs '-E -t 10.0.0.100:88 -s rr -o'
ipvs -Sn
