/** A thread for instances of a plugin: takes a channel to the plugin's owner and answers calls on it, one after the other. */
import { parentPort } from 'node:worker_threads'
import { openFiles } from '../../wasm/sandbox/guest-files.js'
import { failureOf } from '../../wasm/sandbox/messages.js'
import { CallServer } from './call-server.js'
import { OwnerChannel } from './owner-channel.js'
import type { TakeMessage, ThreadMessage } from './thread-messages.js'

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

parentPort?.once('message', ({ start, files: shared, module, fuel, functions, descriptor, nonce }: TakeMessage) => {
  try {
    const files = openFiles(start, shared, start)
    tell({ type: 'attached', attachments: files.unions.map(({ attachment }) => attachment) })
    const channel = new OwnerChannel(descriptor)
    channel.synchronize(Buffer.from(nonce, 'hex'))
    new CallServer({ start, files, module, fuel, functions }, channel).serve()
  } catch (error) {
    tell({ type: 'failed', error: failureOf(error) })
  }
})
tell({ type: 'warm' })
