/** The service that is exposed: everything comes back as it was sent. `node echo.ts PORT`. */

import { createServer } from 'node:net'
import { endOnSignal, report } from './machine.ts'

endOnSignal()
const server = createServer(socket => {
  socket.on('error', () => {}) // a caller that vanishes is not this service's affair
  socket.pipe(socket)
})
server.listen(Number(process.argv[2]), () => report('echo:ready'))
