import Dispatch
import GodwitClient
import GodwitProtocol

/// The chat where the cursor cannot be moved: lines in, lines out.
struct LineChat: Sendable {
    let session: ChatSession
    let json: Bool

    func run(_ model: ChatModel) async {
        let post = session.post
        DispatchQueue(label: "godwit.chat.lines").async {
            while let line = readLine(strippingNewline: true) {
                // A reader that is slow holds the writer of a pipe up.
                Self.room.wait()
                post.yield(.model(.key(.pasted(line))))
            }
            post.yield(.quit)
        }
        await session.run { await loop(model) }
    }

    /// Lines that are read ahead.
    private static let room = DispatchSemaphore(value: 64)

    /// One line is carried out after the other, so that a script can open a conversation and write to it.
    private func loop(_ start: ChatModel) async {
        var model = start
        var transcript = ChatTranscript()
        var lines: [String] = []
        var (underWay, hasEnded, hasListed) = (0, false, session.opening != nil)
        func order(_ actions: [ChatModel.Action]) {
            underWay += actions.count
            actions.forEach(session.order)
        }
        order([.reload] + (session.opening.map { [.open($0)] } ?? []))
        for await event in session.events {
            switch event {
            case .quit: hasEnded = true
            case .suspend, .continued, .resized: continue
            case .changed: order(model.refresh)
            case .done: underWay -= 1
            case .model(.key(.pasted(let line))): lines.append(line)
            case .model(let event): order(take(event, &model, &transcript, &hasListed))
            }
            while underWay == 0, !lines.isEmpty {
                Self.room.signal()
                _ = model.handle(.key(.pasted(lines.removeFirst())))
                let actions = take(.key(.enter), &model, &transcript, &hasListed)
                if actions.contains(.quit) { return }
                order(actions)
            }
            if hasEnded, underWay == 0 { return }
        }
    }

    /// Hands an event to the model and prints what came of it.
    private func take(
        _ event: ChatModel.Event, _ model: inout ChatModel, _ transcript: inout ChatTranscript, _ hasListed: inout Bool
    ) -> [ChatModel.Action] {
        let (target, link, notice) = (model.target, model.link, model.notice)
        let actions = model.handle(event)
        if case .panel(let title, let lines) = model.view {
            show(title, lines)
            _ = model.handle(.key(.escape))
        }
        if case .conversations = event, !hasListed {
            hasListed = true
            list(model)
        }
        if model.view == .list, case .key(.enter) = event { list(model) }
        if model.target != target {
            transcript.forget()
            if !json, let target = model.target {
                Console.out("== \(model.conversation?.name ?? target.description)")
            }
        }
        if model.link.word != link.word { say("link", model.link.word) }
        if model.notice != notice, !model.notice.isEmpty { say("notice", model.notice) }
        for news in transcript.news(in: model) { show(news, model) }
        return actions
    }

    private func list(_ model: ChatModel) {
        guard !json else {
            for conversation in model.conversations {
                Console.json([
                    "event": "conversation", "name": .string(conversation.name),
                    "target": .string(conversation.target.description), "unread": .integer(Int64(conversation.unread)),
                ])
            }
            return
        }
        for (number, conversation) in model.conversations.enumerated() {
            let unread = conversation.unread > 0 ? " (\(conversation.unread))" : ""
            Console.out("\(number + 1) \(conversation.name)\(unread)")
        }
        Console.out("/open NAME opens a conversation, /help lists the orders.")
    }

    private func say(_ event: String, _ text: String) {
        json ? Console.json(["event": .string(event), "text": .string(text)]) : Console.out("-- \(text)")
    }

    private func show(_ title: String, _ lines: [String]) {
        guard !json else {
            return Console.json([
                "event": "panel", "title": .string(title), "lines": .array(lines.map { .string($0) }),
            ])
        }
        Console.out("-- \(title)")
        for line in lines { Console.out("   \(TextCells.clean(line))") }
    }

    private func show(_ news: ChatTranscript.News, _ model: ChatModel) {
        guard json else { return Console.out(ChatTranscript.line(news, in: model)) }
        let entry = news.entry
        var object: JSONObject = [
            "event": news == .message(entry) ? "message" : "state", "tag": .string(entry.tag),
            "message_id": entry.id.map { .string($0.text) } ?? .null, "author": .string(entry.author.text),
            "timestamp": .string(entry.time.description), "text": .string(entry.text),
        ]
        if let target = model.target { object["conversation"] = .string(target.description) }
        if let mark = entry.mark { object["state"] = .string(ChatTranscript.word(mark)) }
        if entry.isDeleted { object["deleted"] = true }
        Console.json(object)
    }
}
