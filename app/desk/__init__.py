"""The desk: pages for people, drawn on the server. One file per area, and the gate in front of all of them."""
