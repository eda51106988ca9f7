// AWS's SDK for Java 1 judges a message of SNS, and one that was changed.
import com.amazonaws.SdkClientException;
import com.amazonaws.services.sns.message.SnsMessageManager;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

public class App {
  private final SnsMessageManager manager = new SnsMessageManager("us-east-1");

  public String[] handle(Map<String, String> letter) throws IOException {
    Map<String, String> forged = new LinkedHashMap<>(letter);
    forged.put("Message", letter.get("Message") + ".");
    return new String[] {letter.get("Type"), letter.get("SignatureVersion"), judged(letter), judged(forged)};
  }

  private String judged(Map<String, String> letter) throws IOException {
    try {
      manager.parseMessage(new ByteArrayInputStream(new ObjectMapper().writeValueAsBytes(letter)));
      return "valid";
    } catch (SdkClientException refused) {
      return refused.getMessage();
    }
  }
}
