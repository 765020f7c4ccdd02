/// Types of messages (004 §6.2, appendix B).
public enum MessageType: String, CaseIterable, Sendable, Hashable {
    case text, media, system, voice
    case functionCall = "function_call"
    case botMessage = "bot_message"
}
