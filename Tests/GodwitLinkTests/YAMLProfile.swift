import Foundation
import GodwitProtocol
import Yams

/// What the command line does with a profile's file: YAML to JSON values.
enum YAMLProfile {
    struct NoJSON: Error {}

    static func value(_ text: String) throws -> JSONValue {
        guard let loaded = try Yams.load(yaml: text) else { return .null }
        return try value(of: loaded)
    }

    static func shipped(_ name: String) throws -> JSONValue {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try value(String(contentsOf: root.appending(path: "profiles/\(name).yaml"), encoding: .utf8))
    }

    private static func value(of loaded: Any) throws -> JSONValue {
        switch loaded {
        case let flag as Bool: return .bool(flag)
        case let whole as Int: return .integer(Int64(whole))
        case let number as Double: return .double(number)
        case let text as String: return .string(text)
        case let list as [Any]: return .array(try list.map(value(of:)))
        case let members as [String: Any]:
            return .object(JSONObject(uniqueKeysWithValues: try members.map { ($0.key, try value(of: $0.value)) }))
        case is NSNull: return .null
        default: throw NoJSON()
        }
    }
}
