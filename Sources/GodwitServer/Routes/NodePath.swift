/// The path of a request target, without its query.
struct NodePath: Hashable {
    let text: String

    init(_ target: String) {
        text = String(target.prefix { $0 != "?" && $0 != "#" })
    }
}
