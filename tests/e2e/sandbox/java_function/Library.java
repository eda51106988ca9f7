package other;

public class Library {
  public static final String NAME = "in lib/*.jar";
}
