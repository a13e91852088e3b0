#!/usr/bin/env bash
# Calls the API with curl. Start a server first: npx wuerstchen serve
#   bash examples/curl.sh [http://127.0.0.1:8080]     WUERSTCHEN_KEY: an API key, if the server needs one
set -euo pipefail
server=${1:-http://127.0.0.1:8080}
call() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer ${WUERSTCHEN_KEY:-none}" "$@"; }

# Gets the bytes of an image, and its seed.
call "$server/v1/images/generations" --json '{"prompt": "a sailboat on a blue background", "seed": 7}' --header 'Accept: image/png' \
  --output curl-sailboat.png --write-out 'curl-sailboat.png, seed %header{x-wuerstchen-seed}\n'

# Changes an image, which is sent as a form.
call "$server/v1/images/edits" --form image=@curl-sailboat.png --form prompt='a green sailboat' --form strength=0.6 --header 'Accept: image/png' --output curl-blue-sailboat.png
echo curl-blue-sailboat.png

# Prints events while an image is made.
call --no-buffer "$server/v1/images/generations" --json '{"prompt": "a green tree", "stream": true, "partial_images": 2}' | grep '^event:'

# Starts a job, watches it, and gets its result later.
job=$(call "$server/v1/jobs" --json '{"endpoint": "/v1/images/variations", "body": {"image": "'"$(base64 < curl-sailboat.png | tr -d '\n')"'", "strength": 0.4}}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
call --no-buffer "$server/v1/jobs/$job/events" | grep -c '^event: job.progress' | sed 's/$/ steps/'
call "$server/v1/jobs/$job/result" --header 'Accept: image/png' --output curl-variation.png
echo curl-variation.png
