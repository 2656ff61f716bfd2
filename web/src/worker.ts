// The SharedWorker: one event stream for all tabs of this browser.  Over HTTP/1.1 a browser opens
// six connections to a host; a stream per tab would freeze the seventh.
import { Stream, type FromStream, type ToStream } from './stream'

const ports = new Set<MessagePort>()
const tell = (m: FromStream) => ports.forEach((p) => p.postMessage(m))
const stream = new Stream(tell)

;(self as unknown as SharedWorkerGlobalScope).onconnect = (e) => {
	const port = e.ports[0]!
	port.onmessage = ({ data }: MessageEvent<ToStream>) => {
		switch (data.t) {
			case 'join':
				ports.add(port)
				stream.current().forEach((m) => port.postMessage(m))
				stream.start(data.csrf)
				break
			case 'leave':
				ports.delete(port)
				break
			case 'again':
				stream.again(data.csrf)
				break
			case 'now':
				stream.now()
		}
	}
}
