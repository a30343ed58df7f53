for words in --start-daemon '--start-daemon bogus' '--start-daemon master' '--start-daemon master --mcast-interface nosuch' \
  --stop-daemon '--stop-daemon master' '--stop-daemon bogus' '--start-daemon master --syncid 256' \
  '--start-daemon master --syncid -1 --mcast-interface d1' '--stop-daemon master --syncid 3' '-L --syncid 3' \
  '-A -t 10.0.0.100:80 --syncid 3' '--start-daemon backup --mcast-interface d1 --sync-maxlen 10' \
  '--start-daemon backup --mcast-interface d1 --mcast-group 10.0.0.1' '--start-daemon backup --mcast-interface d1 --mcast-port 0' \
  '--start-daemon backup --mcast-interface d1 --mcast-ttl 300' '-L --daemon' \
  '--start-daemon master --mcast-interface d1 --syncid 7' '-L --daemon' '--start-daemon master --mcast-interface d1 --syncid 7' \
  '--start-daemon backup --mcast-interface d1 --syncid 8 --mcast-group 224.0.1.2 --mcast-port 8849 --mcast-ttl 3 --sync-maxlen 1400' \
  '-L --daemon' '--stop-daemon master' '-L --daemon' '--stop-daemon backup' '-L --daemon' '--start-daemon master' \
  '--stop-daemon master' '--start-daemon backup --mcast-interface d1 --mcast-group ff02::5' '-L --daemon' '--stop-daemon backup'; do
  ipvs "$words"
done
