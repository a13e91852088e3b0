"""moto's S3, with a user whose policy allows what docs/scale.md asks for and no more.

It checks the signatures of requests with headers by itself. Those of addresses it does not, so they are checked here, by
botocore. Prints where it is, with the keys, as a line of JSON, and ends with its standard input.
"""

import datetime
import json
import sys
from urllib.parse import parse_qs, quote, urlencode

import boto3
import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

BUCKET = "wuerstchen-test"
PREFIX = "jobs/of-a-test"
REGION = "eu-central-1"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
            "Resource": f"arn:aws:s3:::{BUCKET}/{PREFIX}/*",
        },
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    ],
}


class SignedAddresses:
    """Refuses addresses with a signature that is not botocore's for the same request, or whose time is over."""

    def __init__(self, app, keys):
        self.app = app
        self.credentials = Credentials(keys["accessKeyId"], keys["secretAccessKey"])

    def __call__(self, environ, start_response):
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        if "X-Amz-Signature" not in query:
            return self.app(environ, start_response)
        if not self.is_right(environ, dict(query)):
            start_response("403 Forbidden", [("content-type", "application/xml")])
            return [b"<Error><Code>SignatureDoesNotMatch</Code></Error>"]
        return self.app(self.with_headers(environ, query), start_response)

    def with_headers(self, environ, query):
        """The same request as moto wants it: with its signature in a header, so that policies hold for it too."""
        rest = {name: value for name, value in query.items() if not name.startswith("X-Amz-")}
        text = urlencode(rest, quote_via=quote)
        url = f"http://{environ['HTTP_HOST']}{quote(environ['PATH_INFO'])}?{text}"
        request = AWSRequest(environ["REQUEST_METHOD"], url)
        S3SigV4Auth(self.credentials, "s3", REGION).add_auth(request)
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
        return {**environ, **headers, "QUERY_STRING": text, "RAW_URI": f"{environ['PATH_INFO']}?{text}"}

    def is_right(self, environ, one):
        made = datetime.datetime.strptime(one["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        if datetime.datetime.utcnow() > made + datetime.timedelta(seconds=int(one["X-Amz-Expires"])):
            return False
        auth = S3SigV4QueryAuth(self.credentials, "s3", REGION)
        given = one.pop("X-Amz-Signature")
        url = f"http://{environ['HTTP_HOST']}{quote(environ['PATH_INFO'])}?{urlencode(one, quote_via=quote)}"
        request = AWSRequest(environ["REQUEST_METHOD"], url)
        request.context["timestamp"] = one["X-Amz-Date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return auth.signature(text, request) == given


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    admin = {"endpoint_url": endpoint, "region_name": REGION, "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    s3, iam = boto3.client("s3", **admin), boto3.client("iam", **admin)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    iam.create_user(UserName="jobs")
    iam.put_user_policy(UserName="jobs", PolicyName="files", PolicyDocument=json.dumps(POLICY))
    key = iam.create_access_key(UserName="jobs")["AccessKey"]
    keys = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
    # Signatures and policies count from now on.
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=30)
    server._server.app = SignedAddresses(server._server.app, keys)
    facts = {"endpoint": endpoint, "bucket": BUCKET, "prefix": PREFIX, "region": REGION, **keys}
    print(json.dumps(facts), flush=True)
    sys.stdin.read()


main()
