/// The order in which the messages of a frame cost least.
///
/// Each chain of an author costs a signature once a frame (D-5). In the order of their arrival messages would pay that in
/// frame after frame, so those of one chain are put next to each other, chains in the order of their first message.
/// Within a chain nothing changes its place.
public enum RunOrder {
    private struct Chain: Hashable {
        var device: MessageRow.Device
        var conversation: MessageRow.Conversation
    }

    /// - Parameter items: messages; what is none, or travels verbatim, is a chain of its own.
    /// - Returns: the indices of `items`, each once.
    public static func order(of items: [BatchItem]) -> [Int] {
        var groups: [[Int]] = []
        var places: [Chain: Int] = [:]
        for (index, item) in items.enumerated() {
            guard item.kind == .message, let (row, _) = MessageRow.take(item.body) else {
                groups.append([index])
                continue
            }
            let chain = Chain(device: row.device, conversation: row.conversation)
            if let place = places[chain] {
                groups[place].append(index)
            } else {
                places[chain] = groups.count
                groups.append([index])
            }
        }
        return groups.flatMap { $0 }
    }
}
