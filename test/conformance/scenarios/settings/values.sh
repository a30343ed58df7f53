# What they are at first, and what they take.
for name in am_droprate amemthresh cache_bypass conn_reuse_mode drop_entry drop_packet expire_nodest_conn \
  expire_quiescent_template lblc_expiration lblcr_expiration nat_icmp_send pmtu_disc run_estimation schedule_icmp secure_tcp \
  sloppy_sctp sloppy_tcp; do
  show_setting $name
done
for value in 3 2147483 0; do
  setting lblcr_expiration $value
  show_setting lblcr_expiration
done
for value in -7 2147483647 0; do
  setting amemthresh $value
  show_setting amemthresh
done
