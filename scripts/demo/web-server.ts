/** The service that the demo exposes: an HTTP server with one page. `node web-server.ts HOST PORT BYTES`. */

import { createServer } from 'node:http'

const [host = '127.0.0.1', port = '8080', bytes = '300000'] = process.argv.slice(2)
const line = 'This page was served behind a NAT.\n'
const page = line.repeat(Math.ceil(Number(bytes) / line.length)).slice(0, Number(bytes))

createServer((_request, response) => {
  // a tunnel carries connections: each fetch makes a new one, on the path that there is then
  response.writeHead(200, { 'content-type': 'text/plain', connection: 'close' })
  response.end(page)
}).listen(Number(port), host, () => console.log(JSON.stringify({ event: 'web:ready' })))
