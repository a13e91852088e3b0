#!/usr/bin/env bash
# The API with curl, against a server that runs: npx wuerstchen serve
#   bash examples/curl.sh [http://127.0.0.1:8080]     WUERSTCHEN_KEY: an API key, where the server asks for one
set -euo pipefail
server=${1:-http://127.0.0.1:8080}
call() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer ${WUERSTCHEN_KEY:-none}" "$@"; }

# A picture's bytes, and its seed.
call "$server/v1/images/generations" --json '{"prompt": "a red house by the sea", "seed": 7}' --header 'Accept: image/png' \
  --output curl-house.png --write-out 'curl-house.png, seed %header{x-wuerstchen-seed}\n'

# A picture changed, sent as a form.
call "$server/v1/images/edits" --form image=@curl-house.png --form prompt='a blue house' --form strength=0.6 --header 'Accept: image/png' --output curl-blue-house.png
echo curl-blue-house.png

# Events while it is made.
call --no-buffer "$server/v1/images/generations" --json '{"prompt": "a green tree", "stream": true, "partial_images": 2}' | grep '^event:'

# A job: asked for now, watched, and fetched later.
job=$(call "$server/v1/jobs" --json '{"endpoint": "/v1/images/variations", "body": {"image": "'"$(base64 < curl-house.png | tr -d '\n')"'", "strength": 0.4}}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
call --no-buffer "$server/v1/jobs/$job/events" | grep -c '^event: job.progress' | sed 's/$/ steps/'
call "$server/v1/jobs/$job/result" --header 'Accept: image/png' --output curl-variation.png
echo curl-variation.png
