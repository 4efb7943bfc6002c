//! Which sentence of a review may stand on a poster. What is doubtful is left out, never edited: the notice promises that a
//! review is shown as it was written (PIPL-03), and a poster must name nobody (REF-L27) and boast of nothing (REF-24).

/// Longest sentence that is used.
const LONGEST: usize = 40;
/// A shorter one says nothing.
const SHORTEST: usize = 4;

/// Words of contact, place and reward.
const PRIVATE: [&str; 29] = [
    "微信", "威信", "薇信", "加我", "加她", "加他", "扣扣", "电话", "手机", "号码", "联系", "邮箱",
    "网址", "地址", "小区", "公寓", "大厦", "花园", "新村", "单元", "胡同", "路口", "大道", "街道",
    "红包", "返现", "返利", "优惠", "好评",
];

/// After a numeral these are a place: 八弄, 三号.
const PLACES: &str = "弄号室栋幢楼巷层座";

/// Superlatives and promises an advertisement may not make (广告法 9, REF-24), health and money claims.
const BOASTS: [&str; 18] = [
    "最",
    "第一",
    "唯一",
    "首选",
    "顶级",
    "极致",
    "国家级",
    "世界级",
    "冠军",
    "独家",
    "绝对",
    "百分之百",
    "完美",
    "无敌",
    "保证",
    "治好",
    "治愈",
    "包治",
];

/// What follows a name when somebody is addressed.
const TITLES: [&str; 14] = [
    "阿姨", "师傅", "先生", "女士", "小姐", "老师", "经理", "大姐", "大哥", "大妈", "大叔", "太太",
    "店长", "队长",
];

/// The same, after a surname alone.
const SHORT_TITLES: &str = "姐哥嫂叔伯婶姨总工";

/// Those of them that follow given names too: 芳姐. 阿姨 and 大姐 are nobody in particular.
const KIN: &str = "姐哥嫂叔伯婶姨";

/// Before a title these name nobody: 这位阿姨, 保洁师傅, 派来的师傅.
const NOBODY: &str = "位个名的洁政工务两三几些各女男好老新年轻扫理卫生和跟请是了阿大";

/// The hundred commonest surnames, three in four people's.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜\
                        崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤";

/// 。!!??;; and a new line.
const ENDS: [char; 8] = [
    '\u{3002}', '!', '\u{ff01}', '?', '\u{ff1f}', ';', '\u{ff1b}', '\n',
];
/// The ends of sentences, and ,,、::~—.
const MARKS: [char; 14] = [
    '\u{3002}', '!', '\u{ff01}', '?', '\u{ff1f}', ';', '\u{ff1b}', ',', '\u{ff0c}', '\u{3001}',
    ':', '\u{ff1a}', '~', '—',
];
const NUMERALS: &str = "零〇一二三四五六七八九十幺两壹贰叁肆伍陆柒捌玖";

/// The first sentence of a review, if it may be printed; `names` are people it must not mention.
pub(super) fn printable(review: &str, names: &[String]) -> Option<String> {
    let review = review.trim();
    let end = review
        .char_indices()
        .find(|(_, letter)| ENDS.contains(letter))
        .map_or(review.len(), |(at, letter)| at + letter.len_utf8());
    let first = review.get(..end)?.trim();
    let letters: Vec<char> = first.chars().collect();
    let long_enough = (SHORTEST..=LONGEST).contains(&letters.len());
    let plain = letters
        .iter()
        .all(|letter| is_hanzi(*letter) || MARKS.contains(letter));
    let clean = plain
        && !PRIVATE
            .iter()
            .chain(&BOASTS)
            .any(|word| first.contains(word))
        && !has_number(&letters)
        && !has_place(&letters)
        && !names_somebody(first, names);
    (long_enough && clean).then(|| first.to_owned())
}

/// Digits and letters of any script are not hanzi, so numbers, account names and addresses on the net fall out here.
fn is_hanzi(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

/// A telephone number in words has a long run of numerals; 十二三 is talk.
fn has_number(letters: &[char]) -> bool {
    letters
        .split(|letter| !NUMERALS.contains(*letter))
        .any(|run| run.len() >= 4)
}

fn has_place(letters: &[char]) -> bool {
    letters.windows(2).any(|pair| match pair {
        [number, place] => NUMERALS.contains(*number) && PLACES.contains(*place),
        _ => false,
    })
}

fn names_somebody(text: &str, names: &[String]) -> bool {
    let known = names.iter().map(|name| name.trim());
    if known.clone().any(|name| has_part_of(text, name)) {
        return true;
    }
    // 小李, 老王, 阿陈; 李姐, 王工.
    let letters: Vec<char> = text.chars().collect();
    let called = letters.windows(2).any(|pair| match pair {
        [one, two] => {
            ("小老阿".contains(*one) && SURNAMES.contains(*two))
                || (SURNAMES.contains(*one) && SHORT_TITLES.contains(*two))
                || (is_hanzi(*one) && !NOBODY.contains(*one) && KIN.contains(*two))
        }
        _ => false,
    });
    called || TITLES.iter().any(|title| is_title_of_somebody(text, title))
}

/// Whether two letters of a name stand side by side in a text: 桂芳 is 张桂芳 to who knows her (REF-L27).
fn has_part_of(text: &str, name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    letters
        .windows(2)
        .any(|pair| text.contains(&pair.iter().collect::<String>()))
}

/// Whether a title follows a word that may be a name.
fn is_title_of_somebody(text: &str, title: &str) -> bool {
    text.match_indices(title).any(|(at, _)| {
        let before = text.get(..at).and_then(|start| start.chars().next_back());
        before.is_some_and(|letter| is_hanzi(letter) && !NOBODY.contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::printable;
    use proptest::prelude::{prop_assert, proptest};

    fn of(review: &str) -> Option<String> {
        printable(review, &["张桂芳".into(), "梅".into()])
    }

    #[test]
    fn the_first_sentence_is_taken_as_it_stands() {
        assert_eq!(
            of(" 厨房擦得很干净,孩子的房间也收好了。下次还来! "),
            Some("厨房擦得很干净,孩子的房间也收好了。".into())
        );
        assert_eq!(of("阿姨做事很仔细"), Some("阿姨做事很仔细".into()));
        assert_eq!(of("这位阿姨很细心!"), Some("这位阿姨很细心!".into()));
    }

    #[test]
    fn what_points_to_somebody_or_somewhere_is_left_out() {
        for review in [
            "打我电话一三八零零一三八零零零",
            "加我 wx123456",
            "很好 13800138000",
            "看 www.example.cn",
            "张阿姨很细心。",
            "小李做得很好。",
            "张桂芳很细心。",
            "王师傅准时到了。",
            "桂芳做得很仔细。",
            "芳姐很细心。",
            "我家在示例路八弄三号。",
            "住幸福小区的都可以请。",
            "一三八零零一三八零零零",
            "找李姐就对了。",
            "邮件 a@b.cn 给我",
            "谢谢陈老师的团队。",
        ] {
            assert_eq!(of(review), None, "{review}");
        }
    }

    #[test]
    fn what_an_advertisement_may_not_say_is_left_out() {
        for review in [
            "全上海最好的家政。",
            "服务绝对靠谱。",
            "第一名,没话说。",
            "给好评有红包。",
            "100%满意。",
        ] {
            assert_eq!(of(review), None, "{review}");
        }
    }

    #[test]
    fn too_short_too_long_and_emoji_are_left_out() {
        assert_eq!(of("好。"), None);
        assert_eq!(of(&"很干净".repeat(20)), None);
        assert_eq!(of("很干净😀很满意"), None);
        assert_eq!(of(""), None);
    }

    proptest! {
        #[test]
        fn nothing_longer_than_a_line_and_nothing_but_hanzi_and_marks_comes_out(review in ".{0,80}") {
            if let Some(out) = printable(&review, &[]) {
                prop_assert!(out.chars().count() <= 40);
                prop_assert!(review.contains(&out));
                prop_assert!(!out.chars().any(|letter| letter.is_ascii_alphanumeric()));
            }
        }
    }
}
