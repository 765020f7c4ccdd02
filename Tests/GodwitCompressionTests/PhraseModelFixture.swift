import GodwitProtocol

@testable import GodwitCompression

/// A tiny model, trained on lines that stand here, and lines that it has not seen.
enum PhraseModelFixture {
    static let lines = [
        "The generator is out of fuel again, please send 80 litres.",
        "The generator runs again, thank you.",
        "Please send 40 litres of fuel with the next convoy.",
        "The convoy left at 06:15 with four trucks.",
        "The convoy arrived safely, we are unloading now.",
        "The road is blocked at kilometre 34.",
        "The road is open again, one lane only.",
        "We need water, food, fuel and medicine.",
        "Patient arrived at the clinic, fever 39.5, conscious.",
        "Two patients for transfer to the district hospital.",
        "Message received, thank you. We are leaving now.",
        "Where are you now? When will you be back?",
        "La route est coupée à cause de la pluie.",
        "Le groupe électrogène ne démarre plus.",
        "Дорога закрыта, мост разрушен.",
        "الطريق مغلق بسبب المطر.",
        "我们需要水和食物。",
    ]

    static let unseen = [
        "The generator is out of water, please send fuel.",
        "We are blocked at kilometre 12, the convoy is safe.",
        "Le convoi est arrivé.",
        "the road to the clinic is open",
    ]

    static let settings: PhraseTrainer.Settings = {
        var settings = PhraseTrainer.Settings()
        settings.rounds = 1
        settings.bytesMax = 120_000
        return settings
    }()

    /// Every line three times over, so that something is worth keeping.
    static let texts: TrainingTexts = {
        var texts = TrainingTexts()
        for _ in 0..<3 { for line in lines { _ = texts.append(Array(line.utf8)) } }
        return texts
    }()

    static let body: [UInt8] = PhraseTrainer(settings).train(texts)?.body ?? []

    static func file(number: UInt8 = 200, id: String = "tiny") throws(ProtocolError) -> [UInt8] {
        let manifest = PhraseManifest(
            id: id, number: number, provenance: "lines of a test", licence: "as the project", training: ["rounds": 1])
        return try PhraseModelFile.make(body: body, manifest: manifest)
    }

    static let model: PhraseModel? = try? PhraseModel(file: file())
}
