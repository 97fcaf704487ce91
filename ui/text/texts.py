"""Every word the page shows, in English and Chinese; nothing visible is written anywhere else.

Labels that never change are translated in the browser (``gr.I18n``, by the browser's language); what handlers write (the
transcript, toasts) is translated here, by the same language as the browser sends it in ``Accept-Language``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr
    from gradio.i18n import I18nData

ENGLISH = "en"
CHINESE = "zh"

#: key -> (English, Chinese); ``{names}`` are filled by :class:`Texts`.
TEXTS: Mapping[str, tuple[str, str]] = {
    # the frame of the page
    "app.name": ("LightVoice", "LightVoice"),
    "app.tagline": ("Speech, emotion and sound events, in full or light precision", "语音、情感与声音事件识别，精度随时切换"),
    "tab.transcribe": ("Transcribe", "转写"),
    "tab.live": ("Live", "实时"),
    "tab.compare": ("Compare", "对比"),
    # the bundle banner
    "banner.aria": ("Loaded model bundle", "已加载的模型"),
    "banner.languages": ("Languages", "语言"),
    "banner.licence": ("Licence", "许可证"),
    "banner.variants": ("Precisions", "精度"),
    "banner.source": ("Source", "来源"),
    "banner.details": ("About this bundle", "关于此模型"),
    "banner.elsewhere": (
        "Models run on the cluster {address}, without live transcription and model changes. Lightweight mode only routes requests.",
        "模型运行在集群 {address} 上，不提供实时转写和更换模型；轻量模式只决定请求发往何处。",
    ),
    # lightweight mode
    "light.label": ("Lightweight mode (INT8)", "轻量模式（INT8）"),
    "light.aria": ("State of lightweight mode", "轻量模式状态"),
    "light.on": ("On: requests run in {precision}", "已开启：以 {precision} 运行"),
    "light.off": ("Off: requests run in {precision}", "已关闭：以 {precision} 运行"),
    "light.memory": ("memory in use {rss}", "占用内存 {rss}"),
    "light.freed": ("{freed} given back", "已释放 {freed}"),
    "light.freed_none": ("nothing to give back", "没有可释放的内存"),
    "light.unavailable": ("this bundle has no INT8 variant", "此模型没有 INT8 版本"),
    "light.closed": ("Closed: {sessions}", "已关闭会话：{sessions}"),
    "light.before": ("Memory before", "关闭前内存"),
    "light.after": ("Memory after", "关闭后内存"),
    "light.waiting": (
        "{precisions} serves a running request and closes when that ends.",
        "{precisions} 正在处理请求，结束后自动关闭。",
    ),
    "light.closed_none": ("No other session was open: there was nothing to close.", "没有其他已打开的会话，无需关闭。"),
    "light.reopens": ("Nothing was closed. {precision} opens with the next request.", "没有关闭会话。下次请求时载入 {precision}。"),
    "light.speed": ("INT8 is {ratio}× as fast as FP32, measured here.", "本机实测：INT8 速度为 FP32 的 {ratio} 倍。"),
    "light.speed_unknown": (
        "Too little measured here to say how fast INT8 is: {needed} runs in each mode will tell. {advice}",
        "本机实测次数不足：两种模式各运行 {needed} 次即可得知 INT8 的速度。{advice}",
    ),
    "light.measured": ("{precision} RTF {rtf} (runs: {runs})", "{precision} RTF {rtf}（{runs} 次）"),
    "light.measured_here": (
        "Compute time ÷ audio time (RTF, lower is faster): {measured}",
        "计算时间 ÷ 音频时长（RTF，越低越快）：{measured}",
    ),
    # which precision suits this machine (the codes are engine.runtime.advisor's)
    "advice.summary": ("Suits this machine: {precision}", "适合本机的精度：{precision}"),
    "advice.int8_instructions": (
        "The processor multiplies 8-bit integers natively ({flags}): INT8 is faster than FP32 here.",
        "处理器原生支持 8 位整数乘法（{flags}），INT8 比 FP32 更快。",
    ),
    "advice.no_int8_instructions": (
        "The processor has no 8-bit integer instructions: INT8 saves memory but little time.",
        "处理器没有 8 位整数指令：INT8 可节省内存，但速度提升有限。",
    ),
    "advice.unknown_processor": (
        "The processor's features cannot be read here; INT8 saves memory in any case.",
        "无法读取处理器特性；INT8 至少可节省内存。",
    ),
    "advice.small_memory": ("{memory_mb} MB of memory are few for FP32.", "内存 {memory_mb} MB，对 FP32 偏小。"),
    "advice.enough_memory": ("{memory_mb} MB of memory hold either precision.", "内存 {memory_mb} MB，两种精度均可容纳。"),
    "advice.gpu": (
        "A GPU is present ({gpu}); INT8 is a precision for processors and would be slower on it.",
        "检测到 GPU（{gpu}）；INT8 面向 CPU，在 GPU 上反而更慢。",
    ),
    # the form
    "form.audio": ("Recording (file or microphone)", "录音（文件或麦克风）"),
    "form.language": ("Spoken language", "语音语言"),
    "form.language_info": ("Auto lets the model decide", "“自动”由模型判断"),
    "form.language_auto": ("Auto", "自动"),
    "form.itn": ("Written form for numbers (ITN)", "数字转书面形式（ITN）"),
    "form.itn_info": ("“twenty five” becomes “25”; SenseVoice-Small adds punctuation too", "“二十五”写作“25”；SenseVoice-Small 还会加标点"),
    "form.ban": ("Never answer “emotion unknown”", "不输出“情感未知”"),
    "form.ban_info": ("Shows the likeliest emotion instead", "改为显示最可能的情感"),
    "form.run": ("Transcribe", "开始转写"),
    "form.options": ("Options", "选项"),
    "form.files": ("Audio or video files", "音频或视频文件"),
    "form.microphone": ("Microphone", "麦克风"),
    "form.microphone_name": ("Recording {number}", "录音 {number}"),
    "form.unsure": ("Mark words below this confidence (%)", "标记置信度低于此值的词（%）"),
    "form.unsure_info": (
        "Words that the model was less sure of are underlined; 0 marks none",
        "模型把握较小的词加下划线；0 表示不标记",
    ),
    "form.advanced": ("Advanced: channels, finding speech (VAD)", "高级：声道与语音检测（VAD）"),
    "form.channel": ("Channels", "声道"),
    "form.channel_info": (
        "Auto leaves out channels that cancel each other or carry no speech",
        "“自动”会排除互相抵消或不含语音的声道",
    ),
    "form.channel_auto": ("Auto", "自动"),
    "form.channel_mix": ("All, mixed", "全部混合"),
    "form.channel_left": ("Left", "左声道"),
    "form.channel_right": ("Right", "右声道"),
    "form.channel_split": ("One speaker a channel", "每个声道一位说话人"),
    "form.vad": ("Voice activity detection (VAD)", "语音活动检测（VAD）"),
    "form.vad_info": (
        "Cuts the recording where speech begins and ends. Off: cut at the longest segment only, silence included, which costs accuracy",
        "在语音起止处切分录音。关闭后仅按最长片段切分，静音也会送入识别，准确率会下降",
    ),
    "form.vad_same": ("As the mode", "与当前模式相同"),
    "form.vad_off": ("Off", "关闭"),
    "form.end_silence": ("Silence that ends a segment (ms)", "结束片段的静音（毫秒）"),
    "form.end_silence_info": (
        "A pause this long starts a new segment; shorter makes more and shorter segments",
        "停顿达到此时长即开始新片段；越短，片段越多越短",
    ),
    "form.threshold": ("Speech against noise", "语音与噪声的阈值"),
    "form.threshold_info": (
        "How far speech must be likelier than noise; higher ignores more noise and more quiet speech",
        "语音概率须超出噪声概率多少；越高越能忽略噪声，也越容易漏掉轻声",
    ),
    "form.max_segment": ("Longest segment (s)", "最长片段（秒）"),
    "form.max_segment_info": ("Speech without a pause is cut after this time", "没有停顿的语音在此时长后切断"),
    "form.subtitles": ("Subtitles (SRT, VTT)", "字幕（SRT、VTT）"),
    "form.line_width": ("Longest line (columns)", "每行最大宽度（列）"),
    "form.line_width_info": (
        "A Chinese, Japanese or Korean character takes two columns. Counts for the next download, also of what is done",
        "一个汉字、假名或韩文字占两列。对之后的下载生效，包括已完成的录音",
    ),
    "form.line_count": ("Lines at a time", "同时显示的行数"),
    "form.line_count_info": ("Longer text becomes several subtitles", "更长的文字分成多条字幕"),
    "form.min_cue": ("Shortest time on the screen (ms)", "每条字幕的最短时长（毫秒）"),
    "form.min_cue_info": ("Short words stay as long as this where the next ones leave room", "后面留有空隙时，短句至少显示这么久"),
    # the queue
    "queue.title": ("Recordings", "录音列表"),
    "queue.progress": ("{done} of {all} done", "已完成 {done}/{all}"),
    "queue.failed": ("{failed} failed", "{failed} 个失败"),
    "queue.cancel_all": ("Cancel all", "全部取消"),
    "queue.length": ("Length", "时长"),
    "queue.state_ready": ("Ready", "就绪"),
    "queue.state_waiting": ("Waiting", "等待中"),
    "queue.state_done": ("Done", "已完成"),
    "queue.state_failed": ("Failed", "失败"),
    "queue.state_cancelled": ("Cancelled", "已取消"),
    "queue.shown_ready": ("Press “Transcribe” to start.", "点击“开始转写”。"),
    "queue.shown_waiting": ("Waiting for its turn; the transcript appears here.", "正在排队；转写结果将显示在这里。"),
    "queue.shown_running": ("Running; the transcript appears here.", "正在转写；结果将显示在这里。"),
    "queue.heard": ("Recognized so far: {count} segments. The newest:", "目前已识别 {count} 段，最新的是："),
    "queue.shown_cancelled": ("This run was cancelled. ↻ in the list starts it again.", "已取消。点击列表中的 ↻ 重新开始。"),
    "queue.progress_of": ("Progress of {name}", "{name} 的进度"),
    "queue.cancel": ("Cancel", "取消"),
    "queue.cancel_named": ("Cancel {name}", "取消 {name}"),
    "queue.retry": ("Run again", "重新运行"),
    "queue.retry_named": ("Run {name} again", "重新运行 {name}"),
    "queue.remove": ("Remove from the list", "从列表中移除"),
    "queue.remove_named": ("Remove {name} from the list", "从列表中移除 {name}"),
    "queue.track": ("Audio track", "音轨"),
    "queue.track_named": ("Audio track of {name}", "{name} 的音轨"),
    "queue.track_default": ("default", "默认"),
    "queue.connection_lost": (
        "The server does not answer. Trying again; what is done is kept there.",
        "服务器没有响应，正在重试；已完成的结果仍保留在服务器上。",
    ),
    "form.video": ("Video or other file…", "视频或其他文件…"),
    "example.digits-en": ("English digits", "英文数字"),
    "example.sentence-en": ("English sentences", "英文句子"),
    "example.digits-zh": ("Mandarin digits", "中文数字"),
    "mic.hint": (
        "The browser offers the microphone only over HTTPS or on localhost. Uploading works everywhere.",
        "浏览器仅在 HTTPS 或 localhost 下允许使用麦克风；上传文件不受影响。",
    ),
    "mic.why": (
        "There is no microphone on this page: browsers give it to HTTPS and to localhost only.",
        "本页无法使用麦克风：浏览器仅在 HTTPS 或 localhost 下开放麦克风。",
    ),
    "mic.self_signed": (
        "Start the server so; it makes a certificate, and the browser warns of it once:",
        "请这样启动服务器；它会自动生成证书，浏览器首次会提示风险：",
    ),
    "mic.certificate": ("With a certificate of your own:", "如已有证书："),
    "mic.tunnel": (
        "Or bring the port to your machine (ssh -L 7860:localhost:7860 SERVER) and open http://localhost:7860.",
        "也可用 ssh -L 7860:localhost:7860 服务器地址 转发端口，再打开 http://localhost:7860。",
    ),
    # the slim page
    "slim.file": ("WAV file", "WAV 文件"),
    "slim.file_info": ("One recording at a time; other formats need the full page", "每次一个录音；其他格式请使用完整页面"),
    "slim.working": ("Recognizing…", "识别中…"),
    "slim.unreachable": ("The server cannot be reached.", "无法连接服务器。"),
    "slim.too_large": ("The file is larger than {limit}, the most that is taken.", "文件超过上限 {limit}。"),
    "slim.memory": ("Memory", "内存"),
    "slim.left_out": (
        (
            "The slim page leaves out the microphone, live transcription, several files at once, other formats, comparison, "
            "the models tab and the API. ./run.sh without --slim has them."
        ),
        "精简页面不含麦克风、实时转写、批量文件、其他格式、对比、模型管理与 API；不加 --slim 启动即可使用。",
    ),
    "slim.not_loaded": ("Not loaded in this process: {modules}.", "本进程未加载：{modules}。"),
    "slim.measure": ("Measure what it saves", "测量节省的内存"),
    "slim.measure_info": (
        "Starts the slim and the full page for a moment, each in a process of its own with this model, and compares",
        "分别在独立进程中短暂启动精简与完整页面（使用此模型）并比较",
    ),
    "slim.measuring": ("Measuring; this takes a while…", "正在测量，请稍候…"),
    "slim.slim": ("Slim page", "精简页面"),
    "slim.full": ("Full page", "完整页面"),
    "slim.saves": (
        "{saved} saved ({share}), measured on this machine with the {precision} models open",
        "节省 {saved}（{share}），在本机以 {precision} 模型测得",
    ),
    "slim.not_measured": ("It could not be measured: {reason}", "无法测量：{reason}"),
    # live
    "live.title": ("Live transcript", "实时转写"),
    "live.start": ("Start", "开始"),
    "live.stop": ("Stop", "停止"),
    "live.pause": ("Pause that ends a segment (ms)", "断句停顿（毫秒）"),
    "live.pause_info": (
        "Silence of this length ends a segment; shorter is quicker, but cuts sentences",
        "静音达到此时长即断句；越短越快，但容易切断句子",
    ),
    "live.level": ("Level of the microphone", "麦克风音量"),
    "live.empty": ("Press Start and speak. The text follows while you speak.", "点击“开始”后讲话，文字会随之出现。"),
    "live.earlier": (
        "Earlier segments are left out here; Copy and the downloads hold them all.",
        "较早的片段不再显示；复制与下载包含全部内容。",
    ),
    "live.ready": ("Ready", "就绪"),
    "live.opening": ("Opening the microphone…", "正在打开麦克风…"),
    "live.listening": ("Listening", "正在聆听"),
    "live.stopping": ("Recognizing the last words…", "正在识别最后几句…"),
    "live.stopped": ("Stopped", "已停止"),
    "live.denied": (
        "The browser keeps the microphone from this page; allow it in the address bar, then press Start.",
        "浏览器未允许本页使用麦克风；请在地址栏中允许，然后点击“开始”。",
    ),
    "live.no_device": ("No microphone could be opened; connect one, then press Start.", "无法打开麦克风；请连接后点击“开始”。"),
    "live.insecure": (
        "The browser offers the microphone only over HTTPS or on localhost; see the hint beside.",
        "浏览器仅在 HTTPS 或 localhost 下允许使用麦克风；请见旁边的说明。",
    ),
    "live.lost": (
        "The server cannot be reached, or is too slow. What was said before is kept; press Start to go on.",
        "无法连接服务器，或服务器过慢。此前的内容已保留；点击“开始”可继续。",
    ),
    "live.full": (
        "The transcript is as long as it may be; download it, then press Start again.",
        "已达到最长时长；请先下载，再点击“开始”。",
    ),
    "live.failed": ("The stream has ended:", "实时转写已中断："),
    "live.precision": ("runs in {precision}", "以 {precision} 运行"),
    "live.delay": ("text so far after {delay}", "即时文字延迟 {delay}"),
    "live.delay_info": (
        "From the newest sound to the text of the running segment, measured on the server",
        "从最新声音到即时文字的时间，在服务器上测得",
    ),
    "live.latency": ("final text after {latency}", "最终文字延迟 {latency}"),
    "live.latency_info": (
        "From the end of speech to the final text, measured on the server; the pause that ends a segment is part of it",
        "从语音结束到最终文字的时间，在服务器上测得；其中包含断句停顿",
    ),
    "live.after": ("after {latency}", "延迟 {latency}"),
    "live.copy": ("Copy the text", "复制文字"),
    "live.copied": ("Copied", "已复制"),
    # progress
    "stage.open": ("Opening the model", "正在打开模型"),
    "stage.decode": ("Reading the recording", "读取录音"),
    "stage.features": ("Computing features", "计算特征"),
    "stage.vad": ("Finding speech", "检测语音"),
    "stage.asr": ("Recognizing", "识别中"),
    "stage.other": ("Working", "处理中"),
    # the transcript
    "result.title": ("Transcript", "转写结果"),
    "result.empty": ("The transcript appears here.", "转写结果将显示在这里。"),
    "result.silence": ("No speech was found in this recording.", "未在录音中检测到语音。"),
    "result.no_text": ("(no words)", "（无文字）"),
    "result.summary": ("{duration} of audio in {time}", "{duration} 音频，用时 {time}"),
    "result.speed": ("{speed}× real time (RTF {rtf})", "{speed} 倍实时（RTF {rtf}）"),
    "result.precision": ("{precision} · {bundle}", "{precision} · {bundle}"),
    "result.player": ("The recording", "录音播放器"),
    "result.no_playback": (
        "The server could not keep a copy for playback (is its disk full?).",
        "服务器未能保存用于播放的副本（磁盘可能已满）。",
    ),
    "result.copy": ("Copy text", "复制文字"),
    "result.copied": ("Copied", "已复制"),
    "segment.speaker": ("Speaker {number}", "说话人 {number}"),
    "segment.play": ("Play segment {number} from {time}", "从 {time} 播放第 {number} 段"),
    "segment.edit": ("Edit the text of segment {number}", "编辑第 {number} 段文字"),
    "segment.edit_short": ("Edit", "编辑"),
    "segment.edited": ("edited", "已编辑"),
    "segment.original": ("Recognized: {text}", "识别结果：{text}"),
    "segment.restore": ("Put the recognized text of segment {number} back", "恢复第 {number} 段的识别文字"),
    "segment.restore_short": ("Put back", "恢复"),
    "segment.field": ("Text of segment {number}; Enter keeps it, Escape leaves it", "第 {number} 段文字；回车保存，Esc 放弃"),
    "segment.confidence": ("confidence {share}", "置信度 {share}"),
    "segments.title": ("Segments", "语音片段"),
    "segments.number": ("No.", "序号"),
    "segments.start": ("Start", "开始"),
    "segments.end": ("End", "结束"),
    "segments.length": ("Length", "时长"),
    "segments.tags": ("Tags", "标签"),
    "segments.text": ("Text", "文字"),
    "timeline.title": ("Timeline", "时间轴"),
    "timeline.aria": (
        "Waveform of {duration} with {segments} speech segments and the speech probability over time",
        "{duration} 波形，含 {segments} 个语音片段及语音概率曲线",
    ),
    "timeline.wave": ("waveform", "波形"),
    "timeline.speech": ("speech segment", "语音片段"),
    "timeline.only": ("only here", "仅此处"),
    "timeline.count": ("segments: {segments}", "{segments} 个片段"),
    "timeline.probability": ("speech probability", "语音概率"),
    "download.zip": ("Download all (ZIP)", "全部下载（ZIP）"),
    "download.txt": ("Download TXT", "下载 TXT"),
    "download.srt": ("Download SRT", "下载 SRT"),
    "download.vtt": ("Download VTT", "下载 VTT"),
    "download.json": ("Download JSON", "下载 JSON"),
    # tags
    "family.language": ("Language", "语言"),
    "family.emotion": ("Emotion", "情感"),
    "family.event": ("Event", "事件"),
    "tag.zh": ("Mandarin", "普通话"),
    "tag.en": ("English", "英语"),
    "tag.yue": ("Cantonese", "粤语"),
    "tag.ja": ("Japanese", "日语"),
    "tag.ko": ("Korean", "韩语"),
    "tag.nospeech": ("No speech", "无语音"),
    "tag.HAPPY": ("Happy", "高兴"),
    "tag.SAD": ("Sad", "悲伤"),
    "tag.ANGRY": ("Angry", "愤怒"),
    "tag.NEUTRAL": ("Neutral", "平静"),
    "tag.FEARFUL": ("Fearful", "恐惧"),
    "tag.DISGUSTED": ("Disgusted", "厌恶"),
    "tag.SURPRISED": ("Surprised", "惊讶"),
    "tag.EMO_UNKNOWN": ("Emotion unknown", "情感未知"),
    "tag.Speech": ("Speech", "说话"),
    "tag.BGM": ("Music", "音乐"),
    "tag.Applause": ("Applause", "掌声"),
    "tag.Laughter": ("Laughter", "笑声"),
    "tag.Cry": ("Crying", "哭声"),
    "tag.Sneeze": ("Sneeze", "喷嚏"),
    "tag.Breath": ("Breath", "呼吸"),
    "tag.Cough": ("Cough", "咳嗽"),
    "tag.Sing": ("Singing", "歌唱"),
    "tag.Speech_Noise": ("Speech noise", "嘈杂人声"),
    "tag.Event_UNK": ("Event unknown", "事件未知"),
    # comparing
    "compare.left": ("First variant", "第一个版本"),
    "compare.right": ("Second variant", "第二个版本"),
    "compare.track_info": ("Its number, where the file holds several; empty: the default one", "文件含多条音轨时填编号；留空为默认音轨"),
    "compare.run": ("Compare", "开始对比"),
    "compare.run_often": ("Run 5 times", "运行 5 次"),
    "compare.cancel": ("Cancel", "取消"),
    "compare.cancelled": ("Cancelled; nothing was finished yet.", "已取消，尚无完成的结果。"),
    "compare.reference": ("Reference text (optional)", "参考文本（可选）"),
    "compare.reference_info": (
        "Paste what was really said: both transcripts are measured against it",
        "粘贴实际说出的内容，两份转写都将与之对照",
    ),
    "compare.empty": (
        "Runs one recording through two variants (FP32, INT8, another bundle) and shows what the second one changes and saves.",
        "用两个模型版本（FP32、INT8 或其他模型）处理同一段录音，显示差异与节省。",
    ),
    "compare.one_variant": (
        "This bundle has one variant. Comparing it with itself shows how much the times of this machine vary.",
        "此模型只有一个版本。与自身对比可看出本机用时的波动。",
    ),
    "compare.same": (
        "Both sides are the same variant: differences in time are chance, and text and tags should agree.",
        "两侧是同一版本：用时差异属偶然，文字与标签应一致。",
    ),
    "compare.no_speech": ("Neither side found speech in this recording.", "两侧均未检测到语音。"),
    "compare.text_equal": ("Both variants wrote the same text.", "两个版本的文字完全一致。"),
    "compare.text_differs": ("{edits} edits, distance {distance}", "{edits} 处改动，差异 {distance}"),
    "compare.diff": ("Text", "文字对比"),
    "compare.only": ("Only in {precision}", "仅见于 {precision}"),
    "compare.tags": ("Tag agreement", "标签一致率"),
    "compare.of": ("{agree} of {of}", "{agree}/{of}"),
    "compare.no_tags": ("There are no segments to compare.", "没有可对比的片段。"),
    "compare.time": ("Compute time", "计算用时"),
    "compare.time_median": ("Compute time, median of {rounds} runs", "计算用时，{rounds} 次运行的中位数"),
    "compare.spread": ("{lowest} to {highest}", "{lowest} 至 {highest}"),
    "compare.rtf": ("RTF", "RTF"),
    "compare.memory": ("Memory of the sessions (RSS)", "会话内存（RSS）"),
    "compare.memory_info": ("What opening the models added to the server's resident memory", "打开模型后服务常驻内存的增量"),
    "compare.file": ("Model files", "模型文件"),
    "compare.times": ("{ratio}× as fast", "{ratio} 倍速度"),
    "compare.boundaries": ("{within} of {boundaries} segment boundaries within 10 ms", "{within}/{boundaries} 个片段边界相差 10 ms 以内"),
    "compare.column_time": ("Time", "时间"),
    "compare.margin": ("ahead of the next by", "领先次优"),
    "compare.margin_info": (
        "Each tag with its probability, and in brackets its lead over the second likeliest: a small lead may turn with the precision.",
        "每个标签附概率，括号内为其对次优标签的领先；领先越小，越可能随精度变化。",
    ),
    "compare.differs": ("differs", "不同"),
    "compare.no_segment": ("no segment here", "此处无片段"),
    "compare.rows_cut": ("{shown} of {of} segments shown; the downloads hold all.", "显示 {of} 个片段中的 {shown} 个，下载文件包含全部。"),
    # a reference text
    "reference.title": ("Against the reference", "与参考文本对照"),
    "reference.cer": ("Character error rate (CER)", "字错误率（CER）"),
    "reference.cer_info": ("Wrong, missing and added characters ÷ characters of the reference", "错、漏、多的字符数 ÷ 参考文本字符数"),
    "reference.wer": ("Word error rate (WER)", "词错误率（WER）"),
    "reference.wer_info": ("Wrong, missing and added words ÷ words of the reference", "错、漏、多的词数 ÷ 参考文本词数"),
    "reference.counts": (
        "{substitutions} wrong, {deletions} missing, {insertions} added, of {length}",
        "错 {substitutions}，漏 {deletions}，多 {insertions}，共 {length}",
    ),
    "reference.normalized": (
        "Counted without capitals, punctuation and full-width forms. “25” is not “twenty five”: for a reference in words switch ITN off.",
        "统计前已统一大小写与全角半角，并去除标点。“25” 与 “二十五” 不同：参考文本用文字写数字时，请关闭 ITN。",
    ),
    "reference.empty_reference": ("The reference holds no words.", "参考文本没有文字。"),
    "reference.other_script": (
        "{side}: the reference is written in another script than the transcript, so an error rate would say nothing.",
        "{side}：参考文本与转写所用文字不同，错误率没有意义。",
    ),
    "reference.no_words": (
        "The reference is written without spaces: it has no words to count, only characters.",
        "参考文本不以空格分词，仅统计字符。",
    ),
    # a comparison as a file
    "report.title": ("Comparison: {left} and {right}", "对比：{left} 与 {right}"),
    "report.recording": ("Recording: {file}, {duration}", "录音：{file}，{duration}"),
    "download.markdown": ("Download Markdown", "下载 Markdown"),
    # resources
    "resources.title": ("Resources of the server", "服务器资源"),
    "resources.cpu": ("CPU", "CPU"),
    "resources.memory": ("Memory (RSS)", "内存（RSS）"),
    "resources.cpu_info": ("Processor time of this server; 100 % is one busy core", "本服务占用的处理器；100 % 为一个核心满载"),
    "resources.memory_info": ("Resident memory of this server's process (RSS)", "本服务进程的常驻内存（RSS）"),
    "resources.queue": ("In the queue", "队列"),
    "resources.queue_info": ("Recordings that wait or run", "等待中或处理中的录音数"),
    "resources.rtf_info": ("Compute time ÷ audio time; below 1 is faster than real time", "计算时间 ÷ 音频时长；小于 1 即快于实时"),
    "resources.cpu_line": ("CPU over the last two minutes, at most {highest}", "最近两分钟的 CPU，最高 {highest}"),
    "resources.memory_line": (
        "Memory over the last two minutes, {lowest} to {highest}",
        "最近两分钟的内存，{lowest} 至 {highest}",
    ),
    "resources.threads": ("Threads", "线程"),
    "resources.rtf": ("Last RTF", "上次 RTF"),
    "resources.gpu": ("GPU memory", "显存"),
    "resources.none": ("none", "无"),
    "resources.sessions": ("Open sessions", "已打开的会话"),
    "resources.no_sessions": ("No model is open; the next request opens one.", "当前没有打开的模型，下次请求时载入。"),
    "resources.model": ("Model", "模型"),
    "resources.precision": ("Precision", "精度"),
    "resources.mb": ("Memory", "内存"),
    "resources.provider": ("Runs on", "运行于"),
    # models
    "tab.models": ("Models", "模型"),
    "models.open_now": ("open now", "使用中"),
    "models.broken": ("cannot be opened", "无法打开"),
    "models.details": ("Licence, languages, folder", "许可证、语言、文件夹"),
    "models.languages": ("Languages", "语言"),
    "models.licence": ("Licence", "许可证"),
    "models.source": ("Source", "来源"),
    "models.folder": ("Folder", "文件夹"),
    "models.precision": ("Precision", "精度"),
    "models.size": ("Size", "大小"),
    "models.recipe_used": ("How it was made", "制作方法"),
    "models.metrics": ("Measured", "评测结果"),
    "models.bundle": ("Model", "模型"),
    "models.bundle_info": (
        "For every page of this server; running requests end on the model they began with",
        "对本服务器的所有页面生效；进行中的请求仍用原模型完成",
    ),
    "models.switch": ("Open this model", "使用此模型"),
    "models.switched": ("{bundle} is open now ({time}).", "已切换到 {bundle}（用时 {time}）。"),
    "models.fetch_title": ("Get SenseVoice-Small", "获取 SenseVoice-Small"),
    "models.weighs": ("{download} to download, {bundle} on the disk", "下载 {download}，占用磁盘 {bundle}"),
    "models.edition.sensevoice-small": (
        "the official PyTorch weights, exported and quantized here; takes longest and is checked most",
        "官方 PyTorch 权重，在本机导出并量化；耗时最长，检查最全",
    ),
    "models.edition.sensevoice-small-onnx": ("FunASR's ready-made ONNX, converted here", "FunASR 的现成 ONNX，在本机转换"),
    "models.edition.sensevoice-small-sherpa": ("sherpa-onnx's ready-made ONNX, converted here", "sherpa-onnx 的现成 ONNX，在本机转换"),
    "models.model": ("Edition", "版本"),
    "models.hub": ("From", "下载来源"),
    "models.hub_info": ("The sites that publish the weights", "发布模型权重的网站"),
    "models.source_auto": ("Whichever answers", "自动选择"),
    "models.fetch": ("Download", "下载"),
    "models.fetch_help": (
        (
            "What helps: another source; a mirror (start the server with its address in HF_ENDPOINT or MODELSCOPE_ENDPOINT); a folder on "
            "this machine, taken in with “Import a folder”; until then the starter works with no network."
        ),
        (
            "可尝试：换一个下载来源；将镜像地址设为 HF_ENDPOINT 或 MODELSCOPE_ENDPOINT 后重启服务；用“导入文件夹”载入本机已有的模型文件夹；"
            "在此之前，内置的 starter 无需联网即可使用。"
        ),
    ),
    "models.import_title": ("Import a folder", "导入文件夹"),
    "models.import_folder": ("Folder on the server", "服务器上的文件夹"),
    "models.import_info": (
        "An official checkpoint, FunASR's ONNX or sherpa-onnx's ONNX; with FSMN-VAD inside or beside it",
        "官方权重、FunASR 或 sherpa-onnx 的 ONNX 文件夹，FSMN-VAD 位于其中或旁边",
    ),
    "models.import_name": ("Name", "名称"),
    "models.import_name_info": ("What the model will be called; empty: as the folder", "导入后的名称；留空则同文件夹名"),
    "models.import": ("Import", "导入"),
    "models.quantize_title": ("Make a smaller variant (quantize)", "制作更小的版本（量化）"),
    "models.quantize_info": (
        "The variant is added to it; the embedded starter stays as it is, a copy gets the variant",
        "新版本将加入此模型；内置 starter 保持不变，新版本加入其副本",
    ),
    "models.recipe": ("Recipe", "方法"),
    "models.recipe_info": (
        "INT8 stores weights as 8-bit integers: a quarter of the size, faster on most processors",
        "INT8 以 8 位整数存储权重：体积约四分之一，多数处理器上更快",
    ),
    "models.recipe.dynamic": ("dynamic: INT8, nothing to tune", "dynamic：INT8，无需调节"),
    "models.recipe.static": ("static: INT8 with ranges measured beforehand", "static：INT8，预先测量数值范围"),
    "models.recipe.mixed": ("mixed: INT8 where it is harmless, FP32 elsewhere", "mixed：INT8 与 FP32 混合"),
    "models.recipe.auto": ("auto: as much INT8 as accuracy allows (a search)", "auto：搜索精度允许的最大 INT8 范围"),
    "models.recipe.qat": ("qat: trained to live with rounding (slow)", "qat：量化感知训练（较慢）"),
    "models.recipe.fp16": ("fp16: half precision, for GPUs", "fp16：半精度，用于 GPU"),
    "models.recipe.prune": ("prune: smallest weights to zero, then INT8", "prune：最小权重置零，再转 INT8"),
    "models.clips": ("Clips to listen to", "使用的音频条数"),
    "models.clips_info": ("Short recordings that the recipe measures with; empty: its own number", "用于测量的短音频；留空则用默认值"),
    "models.trials": ("Trials at most", "最多尝试次数"),
    "models.trials_info": ("Each tries another mixture of INT8 and FP32; empty: 30", "每次尝试一种 INT8 与 FP32 的组合；留空为 30"),
    "models.amount": ("Share of weights set to zero", "置零的权重比例"),
    "models.amount_info": (
        "More compresses better and recognizes worse; it makes nothing faster",
        "比例越大压缩越好，识别越差；不会提高速度",
    ),
    "models.as_default": ("Use it for lightweight mode", "用于轻量模式"),
    "models.as_default_info": ("Replaces the INT8 that lightweight mode runs", "替换轻量模式所用的 INT8 版本"),
    "models.quantize": ("Make it", "开始制作"),
    "models.cancel": ("Cancel", "取消"),
    "models.log": ("Log", "日志"),
    "models.not_allowed": (
        (
            "Only to look at: models are managed from the server's own machine. To let every visitor switch, download and quantize, start "
            "the server with --manage-models."
        ),
        "仅供查看：模型由服务器本机管理。若允许所有访问者切换、下载和量化模型，请以 --manage-models 启动服务。",
    ),
    "models.slim": (
        (
            "Downloading, importing and quantizing need packages that this install lacks ({packages}). Complete it with "
            "./run.sh --full-install, then start again; switching works as it is."
        ),
        "下载、导入和量化所需的组件尚未安装（{packages}）。请运行 ./run.sh --full-install 补全后重新启动；切换模型不受影响。",
    ),
    "models.job.fetch": ("Downloading {subject}", "下载 {subject}"),
    "models.job.import": ("Importing {subject}", "导入 {subject}"),
    "models.job.quantize": ("Quantizing {subject}", "量化 {subject}"),
    "models.job.prune": ("Pruning {subject}", "剪枝 {subject}"),
    "models.state.queued": ("Waiting", "等待中"),
    "models.state.running": ("Running", "进行中"),
    "models.state.done": ("Done", "已完成"),
    "models.state.failed": ("That did not work", "未成功"),
    "models.state.cancelled": ("Cancelled; no model was changed", "已取消，模型未改动"),
    "models.fetch_kept": ("What was downloaded is kept; the next download goes on from there.", "已下载的部分会保留，下次从断点继续。"),
    "models.eta": ("{time} left", "剩余 {time}"),
    "models.made": ("Now in {place}", "已保存到 {place}"),
    "models.reopening_failed": ("It could not be opened anew: {reason}", "无法重新打开：{reason}"),
    # at the door, before there is a page
    "access.unknown": ("Name and password, please.", "请输入用户名和密码。"),
    "access.too_many": ("Too many wrong attempts. Try again in {wait} s.", "错误次数过多，请在 {wait} 秒后重试。"),
    # toasts
    "error.title": ("That did not work", "操作未完成"),
    "error.AudioError": ("This recording cannot be used", "无法使用此录音，请换一个文件"),
    "error.AudioNotFoundError": ("The recording is gone", "录音文件已不存在"),
    "error.gone": (
        "The server no longer has this file: it was deleted while it waited or ran. Add it again.",
        "服务器上已没有此文件（在等待或运行时被删除），请重新添加。",
    ),
    "error.AudioDecodeError": ("This file cannot be read as audio", "无法读取此文件，请转换为 WAV、MP3、FLAC、OGG 或 M4A"),
    "error.OnlyWavError": ("Only WAV files are read here", "此处仅支持 WAV 文件"),
    "error.EmptyAudioError": ("This recording is empty", "录音为空，请重新录制或换一个文件"),
    "error.NonFiniteAudioError": ("This recording is damaged", "录音数据损坏，请重新导出"),
    "error.SampleRateError": ("This sample rate cannot be used", "不支持此采样率，请重采样"),
    "error.AudioTooLongError": ("This recording is too long", "录音过长，请拆分后再试"),
    "error.OptionError": ("This choice is not on offer", "此选项不可用"),
    "error.TooManyStreamsError": ("Too many live transcriptions", "实时转写人数已满"),
    "error.DecoderUnavailableError": ("Recordings cannot be read now", "暂时无法读取录音"),
    "error.StorageFullError": ("The server's disk is full", "服务器磁盘已满"),
    "error.OutputError": ("The result cannot be written", "无法写入结果"),
    "error.BundleError": ("The model bundle cannot be used", "模型文件无法使用，请重新安装"),
    "error.SessionError": ("The model cannot be run", "模型无法运行"),
    "error.LineFullError": ("The server is busy", "服务器繁忙，请稍后再试"),
    "error.StoppingError": ("The server is being stopped", "服务器正在停止"),
    "error.ClusterError": ("The cluster could not do this", "集群无法完成此操作"),
    "error.NotOfferedError": ("Not offered here", "此处不提供"),
    "error.EngineBusyError": ("The cluster is busy", "集群繁忙"),
    "error.JobRunningError": ("Another job is running", "已有任务在进行"),
    "error.NotAllowedError": ("Not from here", "此处不可操作"),
    # why, in the words of engine/errors.py
    "reason.AudioDecodeError": (
        "cannot read {path} as audio ({reason}); convert it to WAV, MP3, FLAC or OGG and try again",
        "无法将 {path} 作为音频读取（{reason}）；请转换为 WAV、MP3、FLAC 或 OGG 后重试",
    ),
    "reason.UnknownTrackError": (
        "there is no audio track {track} in {path}, whose last one is {count}; choose one up to that, or none for the default track",
        "{path} 没有第 {track} 条音轨，最后一条是第 {count} 条；请选择不超过它的编号，或不选以使用默认音轨",
    ),
    "reason.OnlyWavError": (
        "{path} is no WAV file, and the slim page reads nothing else; convert it, or start the server without --slim",
        "{path} 不是 WAV 文件，精简页面只读取 WAV；请转换格式，或不带 --slim 启动服务器",
    ),
    "reason.EmptyAudioError": (
        "{path} holds no audio samples; record or choose another file",
        "{path} 中没有音频数据；请重新录制或换一个文件",
    ),
    "reason.NonFiniteAudioError": (
        "{path} holds {count} samples that are not numbers (NaN or infinity); export it again",
        "{path} 中有 {count} 个采样值不是有效数字（NaN 或无穷大）；请重新导出",
    ),
    "reason.SampleRateError": (
        "{path} has a sample rate of {sample_rate} Hz; rates from {lowest} to {highest} Hz are read: resample it",
        "{path} 的采样率为 {sample_rate} Hz，仅支持 {lowest}–{highest} Hz；请重采样",
    ),
    "reason.AudioTooLongError": (
        "{path} lasts {duration_s:.0f} s or more; the limit is {limit_s:.0f} s, so split the recording",
        "{path} 时长达到或超过 {duration_s:.0f} 秒，上限为 {limit_s:.0f} 秒；请拆分录音",
    ),
    "reason.UnknownChannelError": ("unknown channel {channel!r}; choose one of {known}", "未知的声道选项 {channel!r}；可选：{known}"),
    "reason.UnknownLanguageError": ("unknown language {language!r}; choose one of {known}", "未知的语言 {language!r}；可选：{known}"),
    "reason.UnknownPrecisionError": (
        "unknown precision {precision!r}; this bundle holds {known}",
        "未知的精度 {precision!r}；此模型提供：{known}",
    ),
    "reason.UnknownFormatError": (
        "unknown format {output_format!r}; choose one of {known}",
        "未知的输出格式 {output_format!r}；可选：{known}",
    ),
    "reason.OptionChoiceError": ("{name} is {value!r}; choose one of {known}", "{name} 的值是 {value!r}；可选：{known}"),
    "reason.OptionRangeError": (
        "{name} is {value!r}; it must lie between {lowest:g} and {highest:g}",
        "{name} 的值为 {value!r}，必须在 {lowest:g} 与 {highest:g} 之间",
    ),
    "reason.TooManyStreamsError": (
        "{running} live transcriptions are running already; try again when one of them has stopped",
        "已有 {running} 路实时转写在进行；请等其中一路结束后再试",
    ),
    "reason.BundleTamperedError": (
        "{path} is not the file that bundle.json describes (expected {expected}, got {got}); install the bundle again",
        "{path} 与 bundle.json 的记录不符（应为 {expected}，实为 {got}）；请重新安装此模型",
    ),
    "reason.ProviderUnavailableError": (
        "device {device!r} cannot be used ({reason}); start with --device cpu",
        "无法使用设备 {device!r}（{reason}）；请以 --device cpu 启动",
    ),
    "reason.NotQuantizedError": (
        (
            "{path} is called INT8 but runs {floating} weight MatMuls in float and {integer} in integers; "
            "quantize it again with `python -m models quantize`"
        ),
        "{path} 名为 INT8，却有 {floating} 个权重乘法以浮点运行、{integer} 个以整数运行；请用 `python -m models quantize` 重新量化",
    ),
    "reason.LineFullError": (
        "the server is busy: {waiting} wait for their turn already; try again in about {wait_s} s",
        "服务器繁忙：已有 {waiting} 个任务在等待；请在约 {wait_s} 秒后重试",
    ),
    "reason.StoppingError": (
        "the server is being stopped; try again when it is back",
        "服务器正在停止；请在恢复后重试",
    ),
    # why a file is none, within reason.AudioDecodeError; found by the English words
    "cause.damaged": ("it is damaged, or no recording", "文件已损坏，或不是录音"),
    "cause.hardly": ("hardly any of it can be decoded", "几乎全部内容都无法解码"),
    "cause.play_list": ("it is a play list, and holds no sound itself", "这是播放列表，本身不含音频"),
    "cause.coding": ("its coding is not supported", "不支持其编码格式"),
    "cause.codec": ("its codec is not known", "编解码器未知"),
    "cause.no_track": ("it holds no audio track", "其中没有音轨"),
    "cause.no_sound": ("it holds no sound", "其中没有声音"),
    # what of a recording could not be read, in the words of engine/audio/reading/reading_warnings.py
    "warning.ends_early": (
        "The recording ends early: its header promises {promised_s} s, and it holds {read_s} s.",
        "录音提前结束：文件头标明 {promised_s} 秒，实际只有 {read_s} 秒。",
    ),
    "warning.breaks_off": (
        "The recording breaks off: nothing after {read_s} s could be read.",
        "录音中断：{read_s} 秒之后的内容无法读取。",
    ),
    "warning.damaged": (
        "{lost_s} s of the recording are damaged, in {places} place(s), the first at {first_s} s; what cannot be read is silent.",
        "录音有 {lost_s} 秒损坏，共 {places} 处，首处在 {first_s} 秒；无法读取的部分按静音处理。",
    ),
    "warning.gaps": (
        "The recording holds no sound for {gap_s} s, in {places} place(s), the first at {first_s} s: it was paused there, or is damaged.",
        "录音中有 {gap_s} 秒没有声音数据，共 {places} 处，首处在 {first_s} 秒：可能是录制暂停，也可能是文件损坏。",
    ),
    "warning.not_numbers": (
        "{count} samples of the recording are not numbers (NaN or infinity); they count as silence.",
        "录音中有 {count} 个采样值不是有效数字（NaN 或无穷大），按静音处理。",
    ),
    "warning.left_out": (
        "{bytes} bytes of the file, from byte {from_byte} on, are no sound that can be read, and were left out.",
        "文件从第 {from_byte} 字节起有 {bytes} 字节不是可读取的音频，已略过。",
    ),
    "warning.time_jump": (
        "The recording's times jump by {jump_s} s at {at_s} s, which was not followed; what comes after may be placed too early.",
        "录音的时间戳在 {at_s} 秒处跳变 {jump_s} 秒，未予采用；其后的时间可能偏早。",
    ),
    "warning.not_taught": (
        "{segments} of its segments are in a language that this model was not taught; their text means nothing.",
        "其中 {segments} 个片段的语言此模型没有学过，文字没有意义。",
    ),
    "error.no_audio": ("Choose or record something first.", "请先选择文件或录音。"),
    "error.no_audio_title": ("No recording yet", "尚无录音"),
    "error.files_refused": (
        "{count} of {of} files were not taken ({names}), the others were. The first one: {reason}",
        "{of} 个文件中有 {count} 个未能加入（{names}），其余已加入。第一个的原因：{reason}",
    ),
    "error.unexpected": (
        "Something unexpected happened. Tell the person who runs this server the number {id}.",
        "发生意外错误。请将编号 {id} 告知服务器管理员。",
    ),
}


class Texts:
    """The texts in one language: ``texts("light.on", precision="INT8")``; an unknown key is an error, never shown raw."""

    def __init__(self, language: str) -> None:
        self.language = CHINESE if language == CHINESE else ENGLISH
        self._column = 1 if self.language == CHINESE else 0

    def __call__(self, key: str, **values: object) -> str:
        """The text for a key, its ``{names}`` filled."""
        return TEXTS[key][self._column].format(**values)

    def tag(self, value: str) -> str:
        """The name of a tag; a value this page does not know yet is shown as the bundle writes it."""
        key = f"tag.{value}"
        return self(key) if key in TEXTS else value


def preferred_language(accept_language: str) -> str:
    """The page's language for an ``Accept-Language`` header: the first wish decides, as it does in the browser."""
    first = accept_language.split(",", 1)[0].strip().lower()
    return CHINESE if first.startswith(CHINESE) else ENGLISH


def texts_for(request: gr.Request | None) -> Texts:
    """The texts for whoever sent a request; English for clients that name no language."""
    header = "" if request is None else str(request.headers.get("accept-language", ""))
    return Texts(preferred_language(header))


def browser_translations() -> gr.I18n:
    """All texts for the browser to choose from; Chinese under every code that Gradio's own Chinese words answer to."""
    import gradio as gr  # noqa: PLC0415 - the slim page does without Gradio

    english = {key: pair[0] for key, pair in TEXTS.items()}
    chinese = {key: pair[1] for key, pair in TEXTS.items()}
    return gr.I18n(**{"en": english, "zh": chinese, "zh-CN": chinese, "zh-TW": chinese})


def label(key: str) -> I18nData:
    """A label that the browser translates; the key is checked when the page is built."""
    from gradio.i18n import I18nData  # noqa: PLC0415 - as above

    if key not in TEXTS:
        raise KeyError(key)
    return I18nData(key)
