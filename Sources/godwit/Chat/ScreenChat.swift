import Dispatch
import Glibc
import GodwitClient

/// The chat on a whole terminal.
struct ScreenChat: Sendable {
    let session: ChatSession
    let baud: Int?

    func run(_ model: ChatModel) async {
        ChatTerminal.enter()
        defer { ChatTerminal.restore() }
        let post = session.post
        let sources = Self.watchSignals(post)
        let reader = TerminalReader { keys in
            guard let keys else {
                post.yield(.quit)
                return
            }
            for key in keys { post.yield(.model(.key(key))) }
        }
        let writer = TerminalWriter(baud: baud ?? ChatTerminal.speed)
        defer {
            reader.close()
            writer.close()
            for source in sources { source.cancel() }
        }
        await session.run { await loop(model, writer) }
    }

    private func loop(_ start: ChatModel, _ writer: TerminalWriter) async {
        var model = start
        let size = ChatTerminal.size
        _ = model.handle(.resized(columns: size.columns, rows: size.rows))
        session.order(.reload)
        if let opening = session.opening { session.order(.open(opening)) }
        writer.show(model.screen(), whole: true)
        for await event in session.events {
            var whole = false
            switch event {
            case .quit: return
            case .done: continue
            case .suspend:
                suspend()
                whole = true
            case .continued:
                ChatTerminal.resume()
                whole = true
            case .resized:
                let size = ChatTerminal.size
                _ = model.handle(.resized(columns: size.columns, rows: size.rows))
                whole = true
            case .changed: model.refresh.forEach(session.order)
            case .model(let event):
                for action in model.handle(event) {
                    switch action {
                    case .quit: return
                    case .suspend:
                        suspend()
                        whole = true
                    default: session.order(action)
                    }
                }
            }
            writer.show(model.screen(), whole: whole)
        }
    }

    /// Gives the terminal back and stops, until the shell lets it go on.
    private func suspend() {
        ChatTerminal.restore()
        raise(SIGSTOP)
        ChatTerminal.resume()
    }

    private static func watchSignals(
        _ post: AsyncStream<ChatSession.Event>.Continuation
    ) -> [any DispatchSourceSignal] {
        let queue = DispatchQueue(label: "godwit.chat.signals")
        let meanings: [(Int32, ChatSession.Event)] = [
            (SIGWINCH, .resized), (SIGTSTP, .suspend), (SIGCONT, .continued), (SIGINT, .quit), (SIGTERM, .quit),
            (SIGHUP, .quit), (SIGQUIT, .quit),
        ]
        return meanings.map { signal, event in
            Glibc.signal(signal, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
            source.setEventHandler { post.yield(event) }
            source.activate()
            return source
        }
    }
}
