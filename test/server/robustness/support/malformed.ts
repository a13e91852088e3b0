import { pick } from './raw.js'

/** One connection's worth of bytes that no client should send; some parts are chosen by `random`. */
type Malformed = (random: () => number) => (string | Buffer)[]

const POST = 'POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\n'
const JSON_TYPE = 'Content-Type: application/json\r\n'
const BODY = '{"prompt":"x"}'

const post = (headers: string, body: string | Buffer = BODY) => [`${POST}${headers}\r\n`, body]
const json = (body: string | Buffer) =>
  post(`${JSON_TYPE}Content-Length: ${Buffer.byteLength(body, typeof body === 'string' ? 'latin1' : undefined)}\r\n`, body)
const chunked = (body: string) => post(`${JSON_TYPE}Transfer-Encoding: chunked\r\n`, body)
const form = (body: string, type = 'multipart/form-data; boundary=b') =>
  post(`Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n`, body)
const part = (name: string, value: string, more = '') =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
const bytes = (random: () => number, count: number) =>
  Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)))
const times = (random: () => number, most: number) => 1 + Math.floor(random() * most)

/** Requests that are broken, hostile or both. Where the answer is known beforehand it is 4xx, and never 5xx. */
export const MALFORMED: Readonly<Record<string, Malformed>> = {
  'bytes without a meaning': random => [bytes(random, times(random, 4000))],
  'bytes without a meaning as JSON': random => json(bytes(random, times(random, 2000))),
  'bytes without a meaning as a form': random => form(bytes(random, times(random, 2000)).toString('latin1')),
  'a TLS greeting': random => [Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1]), bytes(random, 200)])],
  'a request line cut short': random => [POST.slice(0, times(random, POST.length - 1))],
  'a wrong version': random => [
    `GET /livez HTTP/${pick(random, ['0.9', '1.2', '2.0', '9.9', '1.1.1', ''])}\r\nHost: localhost\r\n\r\n`
  ],
  'a preface of HTTP/2': () => ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'an unknown method': random => [
    `${pick(random, ['FOO', 'get', 'PRI', 'QUERY', 'PROPFIND', 'CONNECT', 'G\0T', '"'])} /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n`
  ],
  'a hostile target': random => [
    `GET ${pick(random, ['/%00', '/%', '/%zz', '/\\..\\..', '//', '/../../etc/passwd', '/v1/jobs/%2e%2e%2fmodels', '*', 'http://[::1', '/v1/jobs?limit=%ff', '/v1/jobs?__proto__=1&__proto__=2', `/${'a/'.repeat(4000)}`, '/\u00ff', '/v1/jobs/\0'])} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  ],
  'an address too long': random => [`GET /${'x'.repeat(9000 * times(random, 8))} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  'no host': () => ['GET /livez HTTP/1.1\r\n\r\n'],
  'two hosts': () => ['GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n'],
  'two lengths': random => post(`${JSON_TYPE}Content-Length: 14\r\nContent-Length: ${pick(random, ['14', '15', '0'])}\r\n`),
  'a length that is none': random =>
    post(
      `${JSON_TYPE}Content-Length: ${pick(random, ['-1', '1e3', '0x10', '99999999999999999999', '14, 14', '+14', '', '14 14', '\u00b2'])}\r\n`
    ),
  'a length longer than the body': random => post(`${JSON_TYPE}Content-Length: ${20 + times(random, 1000)}\r\n`),
  'a length shorter than the body': () => post(`${JSON_TYPE}Content-Length: 5\r\n`),
  'a length beyond the limit': random =>
    post(`${JSON_TYPE}Content-Length: ${pick(random, ['65537', '4294967296', '9007199254740993'])}\r\n`),
  'length and chunks at once': random =>
    post(
      `${JSON_TYPE}Content-Length: 14\r\nTransfer-Encoding: ${pick(random, ['chunked', 'Chunked', ' chunked ', 'identity', 'chunked, identity', 'xchunked', 'chunked\tx'])}\r\n`,
      'e\r\n{"prompt":"x"}\r\n0\r\n\r\n'
    ),
  'encodings of the transfer': random =>
    post(
      `${JSON_TYPE}Transfer-Encoding: ${pick(random, ['gzip, chunked', 'chunked, chunked', 'identity', 'gzip', '\x0bchunked', 'chunked\r\nTransfer-Encoding: gzip'])}\r\n`,
      'e\r\n{"prompt":"x"}\r\n0\r\n\r\n'
    ),
  'chunks with a wrong size': random =>
    chunked(
      `${pick(random, ['-1', 'zz', 'ffffffffffffffff', '1ffffffffffffffff', '0x5', ' 5', '5 ', '', '00000000000000000000005'])}\r\n${BODY}\r\n0\r\n\r\n`
    ),
  'chunks without an end': () => chunked(`e\r\n${BODY}\r\n`),
  'chunks with a wrong line end': random =>
    chunked(`e${pick(random, ['\n', '\r', '\r\r\n', ';'])}${BODY}${pick(random, ['\r\n', '\n', 'X'])}0\r\n\r\n`),
  'chunks with extensions': random => chunked(`e;${'x'.repeat(1000 * times(random, 40))}=1\r\n${BODY}\r\n0\r\n\r\n`),
  'chunks with hostile trailers': random =>
    chunked(`e\r\n${BODY}\r\n0\r\n${'X-A: y\r\n'.repeat(times(random, 3000))}Content-Length: 5\r\n\r\n`),
  'a body byte by byte': random => {
    const body = pick(random, [BODY, '{"prompt":', '{"prompt":"x","n":0}', `{"prompt":"${'x'.repeat(200)}","prior_steps":1}`])
    const [head] = post(`${JSON_TYPE}Content-Length: ${body.length}\r\n`) as [string]
    return [head, ...body]
  },
  'chunks of one byte, one by one': random => {
    const bytes = [...pick(random, [BODY, `{"prompt":"${'x'.repeat(200)}"}`, '{'])]
    const [head] = chunked('') as [string]
    return [head, ...bytes.map(byte => `1\r\n${byte}\r\n`), pick(random, ['0\r\n\r\n', '0\r\n', '', '1\r\n'])]
  },
  'a head byte by byte': random => [
    ...`GET ${pick(random, ['/livez', '/v1/models', '/v1/jobs'])} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  ],
  'a form byte by byte': random => {
    const body = `${part('prompt', 'x')}${part('prior_steps', '1')}--b--\r\n`.slice(0, pick(random, [1000, 60, 90]))
    const [head] = form(body) as [string]
    return [head, ...body]
  },
  'idempotency keys': random => [
    `POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: ${pick(random, ['', '""', '"', 'a, b', '"a"\r\nIdempotency-Key: "b"', '\u00ff', '"\\', `"${'x'.repeat(9000)}"`, 'a b', '{}', '__proto__', 'constructor'])}\r\n${JSON_TYPE}Content-Length: 70\r\n\r\n{"endpoint":"/v1/images/generations","body":{"prompt":"x"           }}`
  ],
  'addresses of webhooks': random => {
    const url = pick(random, [
      'http://127.0.0.1/',
      'https://[::1]',
      'file:///etc/passwd',
      'x',
      '',
      '//',
      'https://a@b',
      'http://169.254.169.254',
      '\\u0000'
    ])
    const body = `{"endpoint":"/v1/images/generations","body":{"prompt":"x"},"webhook_url":"${url}"}`
    return [`POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n${JSON_TYPE}Content-Length: ${body.length}\r\n\r\n`, body]
  },
  'pages of jobs': random => [
    `GET /v1/jobs?${pick(random, ['after=', 'after=x', 'after=00000000-0000-4000-8000-000000000000', 'limit=0', 'limit=1e3', 'limit=2&limit=3', 'after=%00', 'limit=99999999999999999999', 'before=x'])} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  ],
  'very many chunks': random => chunked(`${'1\r\n \r\n'.repeat(times(random, 10_000))}e\r\n${BODY}\r\n0\r\n\r\n`),
  'more chunks than the limit has bytes': () => chunked('1\r\n \r\n'.repeat(20_000)),
  'content types with a tab': random =>
    post(
      `Content-Type: application/json${pick(random, ['\t', '\ta', ';\tcharset=x', '\t;', ' \t', '\tapplication/xml'])}\r\nContent-Length: 14\r\n`
    ),
  'content types': random =>
    post(
      `Content-Type: ${pick(random, ['', '/', 'json', 'application/json/x', 'application/json;charset=utf-7', 'application/json;;;', 'text/plain', 'application/x-www-form-urlencoded', 'a'.repeat(5000), 'application/json\r\nContent-Type: text/plain', 'application/json garbage', 'APPLICATION/JSON'])}\r\nContent-Length: 14\r\n`
    ),
  'encodings of the content': random =>
    post(`${JSON_TYPE}Content-Encoding: ${pick(random, ['gzip', 'br', 'x'])}\r\nContent-Length: 14\r\n`),
  'headers that flood': random => [
    `GET /livez HTTP/1.1\r\nHost: localhost\r\n${'X-A: b\r\n'.repeat(200 * times(random, 20))}\r\n`
  ],
  'a header that is huge': random => [
    `GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ${'b'.repeat(10_000 * times(random, 10))}\r\n\r\n`
  ],
  'headers with control characters': random => [
    `GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-A: a${pick(random, ['\0', '\n', '\r', '\x7f', '\x0b', '\r\n '])}b\r\n\r\n`
  ],
  'headers without a name': random => [
    `GET /livez HTTP/1.1\r\nHost: localhost\r\n${pick(random, [': a', ' a: b', 'a b: c', 'a', '\u00fc: x', 'Host : localhost'])}\r\n\r\n`
  ],
  'hostile request ids': random => [
    `GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${pick(random, ['a\tb', '\u00ff', '${x}', '../..', 'x'.repeat(4000), '{"a":1}'])}\r\n\r\n`
  ],
  'hostile hosts': random => [
    `GET /v1/models HTTP/1.1\r\nHost: ${pick(random, ['', 'a b', 'evil.example', 'localhost:99999', '127.0.0.1@evil.example', '\u00ff', '[::1', '%00'])}\r\n\r\n`
  ],
  'hostile credentials': random => [
    `GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${pick(random, ['Bearer', 'Bearer ', 'Bearer  \t', `Bearer ${'a '.repeat(6000)}`, 'Basic Og==', '\u00ff', `Bearer ${' '.repeat(12_000)}x y`])}\r\n\r\n`
  ],
  'what is accepted': random => [
    `POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nAccept: ${pick(random, ['', ',,,;q=', 'image/*;q=nan', '*/*;q=2', `${'a/b,'.repeat(2500)}`, 'text/html', 'image/png;x="'])}\r\n${JSON_TYPE}Content-Length: 14\r\n\r\n${BODY}`
  ],
  expectations: random => post(`${JSON_TYPE}Expect: ${pick(random, ['100-continue', '200-ok', ''])}\r\nContent-Length: 14\r\n`),
  'an upgrade': random => [
    `GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${pick(random, ['websocket', 'h2c', 'x'])}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`
  ],
  'requests behind one another': random => [
    `GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(times(random, 200)),
    'garbage\r\n\r\n'
  ],
  'a request within a body': () => json('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'JSON cut short': random => json('{"prompt":"a cat","n":1,"size":"128x128"}'.slice(0, times(random, 40))),
  'JSON with NUL and lone halves': random =>
    json(`{"prompt":"${pick(random, ['\\u0000', '\\ud800', '\\udfff\\ud800', '\0', '\u00ff\u00fe', '\\x'])}","prior_steps":1}`),
  'UTF-8 that is none': random =>
    json(
      Buffer.concat([
        Buffer.from('{"prompt":"'),
        pick(
          random,
          [[0xc3, 0x28], [0xf5, 0x80, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xff], [0xc0, 0xaf]].map(each => Buffer.from(each))
        ),
        Buffer.from('","prior_steps":1}')
      ])
    ),
  'JSON in depth': random =>
    json(
      pick(random, [
        ['[', ']'],
        ['{"a":', '}']
      ])
        .map((bracket, index) => bracket.repeat(times(random, 8000)) + (index === 0 ? '1' : ''))
        .join('')
    ),
  'JSON in depth that is balanced': random => {
    const depth = 3000 + times(random, 4000)
    return json(`{"prompt":${'['.repeat(depth)}${']'.repeat(depth)}}`)
  },
  'JSON with a prototype': random =>
    json(
      `{"prompt":"x",${pick(random, ['"__proto__":{"n":2}', '"constructor":{"prototype":{"n":2}}', '"prototype":1', '"toString":1', '"\\u005f_proto__":{}', '"hasOwnProperty":1', '"valueOf":null'])}}`
    ),
  'JSON with hostile numbers': random =>
    json(
      `{"prompt":"x","${pick(random, ['n', 'seed', 'prior_steps', 'prior_guidance_scale', 'output_compression', 'timeout_seconds'])}":${pick(random, ['-0', '1e309', '-1e309', '1e-400', '9007199254740993', '0.1', '1E400', '-1', '"1"', '[]', '{}', 'true'])}}`
    ),
  'JSON with a field twice': () => json('{"prompt":"x","n":99,"n":1,"prior_steps":1}'),
  'JSON with very many fields': random =>
    json(`{${Array.from({ length: times(random, 1500) }, (_, index) => `"f${index}":1`).join(',')}}`),
  'JSON with a mark of byte order': () =>
    json(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('{"prompt":"x","prior_steps":1}')])),
  'JSON that is no object': random => json(pick(random, ['null', '1', '"x"', '[]', 'true', '', ' ', '[[]]'])),
  'a form without a boundary': random =>
    form(
      part('prompt', 'x'),
      pick(random, [
        'multipart/form-data',
        'multipart/form-data; boundary',
        'multipart/form-data; boundary=',
        'multipart/form-data; boundary=""',
        `multipart/form-data; boundary=${'b'.repeat(3000)}`,
        'multipart/mixed; boundary=b',
        'multipart/form-data;boundary=b;boundary=c'
      ])
    ),
  'a form cut short': random => form(`${part('prompt', 'x')}${part('n', '1')}--b--\r\n`.slice(0, times(random, 130))),
  'a form with hostile names': random =>
    form(
      `${part(pick(random, ['__proto__', 'constructor', 'toString', '', '[]', 'prompt[]', 'n[][]', '\0', 'a'.repeat(3000), '"', 'prompt"; filename="x']), 'x')}${part('prompt', 'x')}--b--\r\n`
    ),
  'a form with a field twice': () => form(`${part('prompt', 'x')}${part('prompt', 'y')}--b--\r\n`),
  'a form with very many parts': random => form(`${part('prompt', 'x').repeat(times(random, 200))}--b--\r\n`),
  'a form with files where text belongs': random =>
    form(`${part('prompt', 'x', `; filename="${pick(random, ['../../etc/passwd', 'a.png', '\0', 'con'])}"`)}--b--\r\n`),
  'a form with JSON in its parts': random =>
    form(
      `--b\r\nContent-Disposition: form-data; name="prompt"\r\nContent-Type: application/json\r\n\r\n${pick(random, ['{"a":1}', '{', '[1]', '"x"', '{"__proto__":1}'])}\r\n--b--\r\n`
    ),
  'a form with hostile part headers': random =>
    form(
      `--b\r\n${pick(random, ['', 'Content-Disposition: form-data', 'Content-Disposition: attachment; name=prompt', `X: ${'y'.repeat(10_000)}`, 'X: y\r\n'.repeat(2000), "Content-Disposition: form-data; name*=utf-8''%ff", 'Content-Transfer-Encoding: base64'])}\r\n\r\nx\r\n--b--\r\n`
    )
}
